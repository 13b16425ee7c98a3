package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vpcflow/vpcflow_exporter/pricing"
	"github.com/vpcflow/vpcflow_exporter/pricing/pricelist"
)

// bulk is what was read of a bulk file: the products that are ours, by SKU.
type bulk struct {
	published time.Time
	products  map[string]pricelist.DocumentProduct
	list      pricelist.List
	onDemand  bool // Whether the prices on demand came.
}

// errDone ends the reading where the reserved terms begin.
var errDone = errors.New("done")

// readBulk returns the prices of a bulk file.
func readBulk(r io.Reader, known *pricing.Table) ([]pricing.Row, error) {
	b := &bulk{products: make(map[string]pricelist.DocumentProduct)}
	decoder := json.NewDecoder(r)
	err := object(decoder, func(key string) error { return b.section(decoder, key) })
	if err != nil && !errors.Is(err, errDone) {
		return nil, err
	}
	switch {
	case b.published.IsZero():
		return nil, errors.New("no publicationDate")
	case !b.onDemand:
		return nil, errors.New("no prices on demand")
	}
	return b.rows(known)
}

// rows returns the prices of all regions. A file of one service lacks those of
// the others, and is taken for what it has.
func (b *bulk) rows(known *pricing.Table) ([]pricing.Row, error) {
	var rows []pricing.Row
	for _, region := range b.list.Regions() {
		of, err := b.list.Sound(region, source, b.published, known)
		if err != nil {
			return nil, err
		}
		rows = append(rows, of...)
	}
	if len(rows) == 0 {
		return nil, errors.New("no price that the list has")
	}
	return rows, nil
}

func (b *bulk) section(decoder *json.Decoder, key string) error {
	switch key {
	case "publicationDate":
		return decoder.Decode(&b.published)
	case "products":
		return object(decoder, func(sku string) error { return b.product(decoder, sku) })
	case "terms":
		return object(decoder, func(term string) error {
			if term != "OnDemand" {
				return errDone // Reserved comes last, and is most of the file.
			}
			b.onDemand = true
			return object(decoder, func(sku string) error { return b.offer(decoder, sku) })
		})
	default:
		return skip(decoder)
	}
}

func (b *bulk) product(decoder *json.Decoder, sku string) error {
	var product pricelist.DocumentProduct
	if err := decoder.Decode(&product); err != nil {
		return fmt.Errorf("product %q: %w", sku, err)
	}
	found := pricelist.Product{Region: product.Attributes.RegionCode, UsageType: product.Attributes.UsageType}
	if _, _, ok := found.Identify(); ok {
		b.products[sku] = product
	}
	return nil
}

func (b *bulk) offer(decoder *json.Decoder, sku string) error {
	product, ours := b.products[sku]
	if !ours {
		return skip(decoder)
	}
	document := pricelist.Document{Product: product}
	if err := decoder.Decode(&document.Terms.OnDemand); err != nil {
		return fmt.Errorf("offer %q: %w", sku, err)
	}
	decoded, err := document.Decode()
	if err != nil {
		return err
	}
	return b.list.Add(decoded)
}

// object calls visit for each key of the object that comes next; visit reads the
// value.
func object(decoder *json.Decoder, visit func(key string) error) error {
	if token, err := decoder.Token(); err != nil {
		return err
	} else if token != json.Delim('{') {
		return fmt.Errorf("got %v, want an object", token)
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // Keys are strings, as the decoder holds.
		if err := visit(key); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

func skip(decoder *json.Decoder) error {
	var value json.RawMessage
	return decoder.Decode(&value)
}
