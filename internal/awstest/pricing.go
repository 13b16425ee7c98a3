package awstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Pricing is a server of the Price List API that answers GetProducts from the
// products it is given. It is an http.Handler that speaks AWS JSON 1.1 and is
// safe for concurrent use. Of filters it knows TERM_MATCH on attributes.
type Pricing struct {
	mu       sync.Mutex
	products []PricingProduct
	pageSize int
	requests int
	fault    func(http.ResponseWriter) bool
}

// PricingProduct is a product with its price list entry.
type PricingProduct struct {
	Service    string
	Attributes map[string]string
	Text       string // The entry as it is answered, whether sound or not.
}

// NewPricing returns a server without products.
func NewPricing() *Pricing { return &Pricing{pageSize: 100} }

// PriceProduct returns a product of one tier and unit, with a price as text.
func PriceProduct(service, region, usageType, unit, usd string) PricingProduct {
	attributes := map[string]string{"servicecode": service, "usagetype": usageType}
	if region != "" {
		attributes["regionCode"] = region
	}
	dimension := map[string]any{"unit": unit, "beginRange": "0", "endRange": "Inf", "pricePerUnit": map[string]string{"USD": usd}}
	text, err := json.Marshal(map[string]any{
		"serviceCode": service,
		"product":     map[string]any{"attributes": attributes},
		"terms":       map[string]any{"OnDemand": map[string]any{"A.B": map[string]any{"priceDimensions": map[string]any{"A.B.C": dimension}}}},
	})
	if err != nil {
		panic(err) // Strings and maps of them always marshal.
	}
	return PricingProduct{Service: service, Attributes: attributes, Text: string(text)}
}

// Set replaces the products.
func (p *Pricing) Set(products ...PricingProduct) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.products = products
}

// SetPageSize bounds the products of one answer below what is asked for.
func (p *Pricing) SetPageSize(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pageSize = n
}

// SetFault has f answer requests in the server's place while it returns true; nil
// is none.
func (p *Pricing) SetFault(f func(http.ResponseWriter) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Requests returns how many requests came.
func (p *Pricing) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

type getProducts struct {
	ServiceCode string
	NextToken   string
	MaxResults  int
	Filters     []struct{ Type, Field, Value string }
}

// ServeHTTP implements http.Handler.
func (p *Pricing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	if p.fault != nil && p.fault(w) {
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var request getProducts
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	if target := r.Header.Get("X-Amz-Target"); err == nil && !strings.HasSuffix(target, ".GetProducts") {
		err = fmt.Errorf("unknown operation %q", target)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "InvalidParameterException", "message": err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(p.answer(request))
}

// answer is one page. The token is the index of the next product.
func (p *Pricing) answer(request getProducts) map[string]any {
	texts := []string{}
	for _, product := range p.products {
		if product.matches(request) {
			texts = append(texts, product.Text)
		}
	}
	begin, _ := strconv.Atoi(request.NextToken)
	begin = min(max(begin, 0), len(texts))
	size := p.pageSize
	if request.MaxResults > 0 {
		size = min(size, request.MaxResults)
	}
	end := min(begin+size, len(texts))
	answer := map[string]any{"FormatVersion": "aws_v1", "PriceList": texts[begin:end]}
	if end < len(texts) {
		answer["NextToken"] = strconv.Itoa(end)
	}
	return answer
}

func (p PricingProduct) matches(request getProducts) bool {
	if p.Service != request.ServiceCode {
		return false
	}
	for _, f := range request.Filters {
		if f.Type != "TERM_MATCH" || p.Attributes[f.Field] != f.Value {
			return false
		}
	}
	return true
}
