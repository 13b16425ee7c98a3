package claim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
)

// Unfinished calls back for each file that this owner has claimed and not finished, and perhaps for those that it claims meanwhile. It lists all claims, a
// thousand with a request, and reads those that are not done, of all owners. An error of each ends it.
func (c *Claims) Unfinished(ctx context.Context, each func(File) error) error {
	var next *string
	for {
		var page *s3.ListObjectsV2Output
		err := c.repeat(ctx, "list", func(ctx context.Context, api API) (err error) {
			page, err = api.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &c.config.Bucket, Prefix: &c.config.Prefix, ContinuationToken: next})
			return err
		})
		if err != nil {
			return fmt.Errorf("list claims: %w", err)
		}
		for _, o := range page.Contents {
			if !c.isClaim(aws.ToString(o.Key)) || aws.ToInt64(o.Size) == doneSize {
				continue
			}
			if age := c.now().Sub(aws.ToTime(o.LastModified)); age > maxUnfinishedAge {
				c.logger.Warn("Left a claim alone that is too old, its file may have been counted and forgotten", "bucket", c.config.Bucket, "key", *o.Key, "age", age)
				continue
			}
			if err := c.unfinished(ctx, *o.Key, each); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) || page.NextContinuationToken == nil {
			return nil
		}
		next = page.NextContinuationToken
	}
}

// maxUnfinishedAge is how long ago a file may have been claimed for its owner to count it without a message. The owner knows for a day longer that it has counted a file whose name
// has no time, or that has no age limit; SQS keeps a message for as long.
const maxUnfinishedAge = 14 * 24 * time.Hour

// unfinished looks at one claim. One that is gone meanwhile, or strange, is left alone.
func (c *Claims) unfinished(ctx context.Context, key string, each func(File) error) error {
	var b body
	err := c.repeat(ctx, "get", func(ctx context.Context, api API) (err error) {
		if b, err = c.read(ctx, api, key); errors.Is(err, objstore.ErrNotFound) {
			return nil
		}
		return err
	})
	switch {
	case errors.Is(err, errStrange):
		c.logger.Warn("Strange object among the claims", "bucket", c.config.Bucket, "key", key, "err", err)
		return nil
	case err != nil:
		return fmt.Errorf("read claim %q: %w", key, err)
	case b.File == nil || b.Done || b.Owner != c.config.Owner:
		return nil
	default:
		return each(*b.File)
	}
}
