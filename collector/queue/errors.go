package queue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

var (
	// ErrLost is the cause with which a message's context ends when the message is no longer this
	// process's: its receipt handle is invalid, its visibility ended because it could not be extended,
	// or its 12 hours are over. Another consumer may be working on it, so the work must be dropped.
	ErrLost = errors.New("message belongs to somebody else now")
	// ErrSettled is returned for a message that was deleted, returned or left alone before.
	ErrSettled = errors.New("message is settled already")
	// ErrClosed is returned by a queue that was closed, and is the cause with which the contexts of
	// messages end that were not settled by then.
	ErrClosed = errors.New("queue is closed")

	errUnread = errors.New("queue has not been read yet")
)

// codeOf returns the error code that SQS answered, empty if it was not SQS that answered.
func codeOf(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return strings.TrimPrefix(coded.ErrorCode(), "AWS.SimpleQueueService.")
	}
	return ""
}

// isHandleInvalid says whether an error means that the receipt handle is of no use any more. SQS says
// so in three ways, and only the message tells the third from other bad parameters.
func isHandleInvalid(code, message string) bool {
	switch code {
	case "ReceiptHandleIsInvalid", "MessageNotInflight":
		return true
	case "InvalidParameterValue":
		return strings.Contains(message, "parameter ReceiptHandle")
	default:
		return false
	}
}

// isBeyondLimit says whether an extension was refused because it would end after the 12 hours.
func isBeyondLimit(err error) bool {
	return codeOf(err) == "InvalidParameterValue" && strings.Contains(err.Error(), "VisibilityTimeout")
}

// withHint adds to an error of an SQS action what the operator can do about it.
func withHint(err error, action string) error {
	switch code := codeOf(err); {
	case code == "AccessDenied" || code == "AccessDeniedException":
		return fmt.Errorf("%w (allow sqs:%s on the queue)", err, action)
	case strings.HasPrefix(code, "KMS.") || strings.HasPrefix(code, "Kms"):
		return fmt.Errorf("%w (allow kms:Decrypt on the queue's key)", err)
	case code == "NonExistentQueue" || code == "QueueDoesNotExist" || code == "InvalidAddress":
		return fmt.Errorf("%w (check the queue URL, and that the AWS region is the queue's)", err)
	case strings.HasPrefix(code, "ExpiredToken") || code == "InvalidClientTokenId" || code == "InvalidSecurity" ||
		code == "SignatureDoesNotMatch" || code == "UnrecognizedClientException":
		return fmt.Errorf("%w (check the AWS credentials and the clock)", err)
	case code == "" && strings.Contains(err.Error(), "get credentials"):
		return fmt.Errorf("%w (no AWS credentials found: give the process a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)", err)
	default:
		return err
	}
}

var errUnanswered = errors.New("delete message: SQS did not say what became of it")

// batchError is the error of one entry of a batch.
type batchError struct{ code, message string }

func (e *batchError) Error() string { return "delete message: " + e.code + ": " + e.message }

// ErrorCode is what codeOf asks for, as of the SDK's errors.
func (e *batchError) ErrorCode() string { return e.code }

func entryError(entry types.BatchResultErrorEntry) error {
	return withHint(&batchError{code: value(entry.Code), message: value(entry.Message)}, "DeleteMessage")
}

// isForGood says whether trying to delete once more is of no use.
func isForGood(err error) bool { return isHandleInvalid(codeOf(err), err.Error()) }
