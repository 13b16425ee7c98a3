package objstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// refusal puts the error of this package that fits before an error of the SDK.
// Of the contexts, ctx is the caller's, attempt that of the one request.
func refusal(ctx, attempt context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if errors.Is(context.Cause(attempt), ErrTimeout) {
		return context.Cause(attempt)
	}
	kind := kindOf(err)
	if kind == nil {
		return withoutEOF(err)
	}
	return fmt.Errorf("%w: %w", kind, withoutEOF(err))
}

// ended returns why the caller's context ended, with its cause.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// kindOf finds the error of this package that an error of the SDK stands for,
// nil if there is none.
func kindOf(err error) error {
	status := statusOf(err)
	if status == 0 {
		return kindWithoutAnswer(err)
	}
	code := codeOf(err)
	if kind := kindOfCode(code); kind != nil {
		return kind
	}
	switch {
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return ErrChanged
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ErrDenied
	case status == http.StatusTooManyRequests:
		return ErrThrottled
	case status == http.StatusRequestTimeout:
		return ErrTimeout
	case status >= 500:
		return ErrServer
	default:
		return nil
	}
}

// kindOfCode reads the error code in the body. A status 404 alone is not enough
// for ErrNotFound: a wrong endpoint answers so to everything, and a missing
// object is settled and forgotten.
func kindOfCode(code string) error {
	switch code {
	case "NoSuchKey", "NoSuchVersion":
		return ErrNotFound
	case "NoSuchBucket":
		return ErrNoSuchBucket
	case "InvalidObjectState":
		return ErrArchived
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		// Status 400, but a matter of credentials like the others that are 403.
		return ErrDenied
	case "RequestTimeout":
		return ErrTimeout
	}
	// A disabled or missing key of SSE-KMS is a status 400.
	if strings.HasPrefix(code, "KMS.") {
		return ErrDenied
	}
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return ErrThrottled
	}
	return nil
}

// kindWithoutAnswer judges an error that came before any response. Whatever kept
// the request from being answered may pass, missing credentials included, except
// for a request that the SDK finds invalid.
func kindWithoutAnswer(err error) error {
	if _, ok := errors.AsType[*smithy.SerializationError](err); ok {
		return nil
	}
	if t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && t.Timeout() {
		return ErrTimeout
	}
	return ErrNetwork
}

func statusOf(err error) int {
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return response.HTTPStatusCode()
	}
	return 0
}

func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// expectedRegion matches the text of AuthorizationHeaderMalformed: "the region
// 'us-east-1' is wrong; expecting 'eu-west-3'".
var expectedRegion = regexp.MustCompile(`expecting '([a-z0-9-]+)'`)

// otherRegion returns the region in which the store says that the bucket is, if
// that is why it refused a request to the region used. An empty one stands for
// the default, whose name is not known here.
func otherRegion(err error, used string) string {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return ""
	}
	code := codeOf(err)
	misdirected := response.HTTPStatusCode() == http.StatusMovedPermanently || code == "PermanentRedirect" ||
		code == "AuthorizationHeaderMalformed" || code == "IllegalLocationConstraintException"
	region := ""
	if response.Response != nil && response.Response.Response != nil {
		region = response.Response.Header.Get("X-Amz-Bucket-Region")
	}
	if region == "" && misdirected {
		if m := expectedRegion.FindStringSubmatch(err.Error()); m != nil {
			region = m[1]
		}
	}
	if !regionPattern.MatchString(region) || region == used || used == "" && !misdirected {
		return ""
	}
	return region
}
