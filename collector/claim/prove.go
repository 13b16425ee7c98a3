package claim

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
)

// errUnconditional says that a store makes an object that is there already. Every replica would believe that each file is its own.
var errUnconditional = errors.New("the store does not know puts with If-None-Match, without which there are no claims")

// prove makes sure, once, that the store refuses to make an object a second time. The object is one of the owner's own, and stays.
func (c *Claims) prove(ctx context.Context) error {
	if c.proven.Load() {
		return nil
	}
	key := c.config.Prefix + "conditional-put-" + c.config.Owner
	err := c.repeat(ctx, "put", func(ctx context.Context, api API) error {
		for range 2 {
			err := c.put(ctx, api, key, encodeDone(c.config.Owner), true)
			if objstore.Status(err) == http.StatusPreconditionFailed {
				c.proven.Store(true)
				return nil
			}
			if err != nil {
				return err
			}
		}
		return errUnconditional
	})
	if err != nil {
		return fmt.Errorf("try a conditional put at %q: %w", c.Location(), err)
	}
	return nil
}
