package objstore

import "context"

// Explain puts the error of this package that fits before an error of the SDK's S3 client, for packages that send requests of their own. Of a request that ended
// with ctx it says why.
func Explain(ctx context.Context, err error) error { return refusal(ctx, ctx, err) }

// OtherRegion returns the region in which S3 says that the bucket of a request is, if that is why it refused the request to the region used; else "". A used ""
// stands for the default region.
func OtherRegion(err error, used string) string { return otherRegion(err, used) }

// Status returns the HTTP status of the answer that an error of the SDK comes from, 0 if there was none.
func Status(err error) int { return statusOf(err) }
