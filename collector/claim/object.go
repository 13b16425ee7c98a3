package claim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
)

// body is what a claim's object holds. One that is done has nothing but its owner: its size is always the same, and less than that of any other, so that a
// listing tells them apart.
type body struct {
	Owner string     `json:"owner"`
	Done  bool       `json:"done"`
	Time  *time.Time `json:"time,omitempty"` // Time is for whoever looks at it.
	*File
}

// maxBody bounds what is read of a claim. A key in S3 has at most 1,024 bytes, and is in it twice.
const maxBody = 64 << 10

var ownerPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

func encode(owner string, file File, now time.Time) []byte {
	now = now.UTC().Truncate(time.Second)
	return marshal(body{Owner: owner, Time: &now, File: &file})
}

func encodeDone(owner string) []byte { return marshal(body{Owner: owner, Done: true}) }

func marshal(b body) []byte {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err) // It has nothing but text.
	}
	return append(text, '\n')
}

// doneSize is the size of a claim that is done.
var doneSize = int64(len(encodeDone(fmt.Sprintf("%032x", 0))))

// errStrange says that an object under a claim's key was not made by an exporter. Nobody may count the file before somebody has looked at it.
var errStrange = errors.New("object is no claim")

func decode(text []byte) (body, error) {
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return body{}, fmt.Errorf("%w: %w", errStrange, err)
	}
	if !ownerPattern.MatchString(b.Owner) || !b.Done && (b.File == nil || b.Identity == "" || b.Bucket == "" || b.Key == "") {
		return body{}, fmt.Errorf("%w: it lacks an owner or a file", errStrange)
	}
	return b, nil
}

// put stores a claim. Where it must be new, an answer with the status 412 says that it is not.
func (c *Claims) put(ctx context.Context, api API, key string, text []byte, mustBeNew bool) error {
	input := &s3.PutObjectInput{Bucket: &c.config.Bucket, Key: &key, Body: bytes.NewReader(text), ContentType: aws.String("application/json")}
	if mustBeNew {
		input.IfNoneMatch = aws.String("*")
	}
	_, err := api.PutObject(ctx, input)
	return err
}

// get reads a claim.
func (c *Claims) get(ctx context.Context, api API, key string) (Claim, error) {
	b, err := c.read(ctx, api, key)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return Claim{Key: key}, nil
	case err != nil:
		return Claim{}, err
	case b.Done:
		return Claim{Done, b.Owner, key}, nil
	case b.Owner == c.config.Owner:
		return Claim{Own, b.Owner, key}, nil
	default:
		return Claim{Foreign, b.Owner, key}, nil
	}
}

// read returns what an object holds. One that does not exist is objstore.ErrNotFound.
func (c *Claims) read(ctx context.Context, api API, key string) (body, error) {
	out, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.config.Bucket, Key: &key})
	if err != nil {
		if explained := objstore.Explain(ctx, err); errors.Is(explained, objstore.ErrNotFound) {
			return body{}, explained
		}
		return body{}, err
	}
	text, err := io.ReadAll(io.LimitReader(out.Body, maxBody))
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return body{}, fmt.Errorf("%w: %w", objstore.ErrNetwork, err)
	}
	b, err := decode(text)
	if err == nil && b.File != nil && c.Key(b.Identity) != key {
		err = fmt.Errorf("%w: it is one of another file", errStrange)
	}
	if err != nil {
		return body{}, fmt.Errorf("read claim %q: %w", key, err)
	}
	return b, nil
}
