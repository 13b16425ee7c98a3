package awstest

import "fmt"

// SQSError is an error as SQS reports it, for a whole request or for one entry of a batch.
type SQSError struct {
	// Status is the HTTP status of a whole request's error, 400 if zero. A status of 500 or more makes
	// the error the server's own fault, which the SDK tries again.
	Status int
	// Code is the error's name as the SDK's typed errors have it, for example QueueDoesNotExist,
	// ReceiptHandleIsInvalid, AccessDenied or InvalidParameterValue.
	Code string
	// Message is for people. Clients do read it, to tell one InvalidParameterValue from another.
	Message string
}

// Error implements error.
func (e *SQSError) Error() string { return e.Code + ": " + e.Message }

func (e *SQSError) senderFault() bool { return e.Status < 500 }

// queryCode returns the name that the error had in the Query protocol, which clients from before AWS
// JSON still expect, and which the SDK prefers to the error's own.
func (e *SQSError) queryCode() string {
	switch e.Code {
	case "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	case "QueueNameExists":
		return "QueueAlreadyExists"
	case "BatchEntryIdsNotDistinct", "BatchRequestTooLong", "EmptyBatchRequest", "InvalidBatchEntryId",
		"MessageNotInflight", "TooManyEntriesInBatchRequest", "UnsupportedOperation":
		return "AWS.SimpleQueueService." + e.Code
	default:
		return e.Code
	}
}

func sqsErrorf(code, format string, args ...any) *SQSError {
	return &SQSError{Code: code, Message: fmt.Sprintf(format, args...)}
}

func errQueueDoesNotExist() *SQSError {
	return sqsErrorf("QueueDoesNotExist", "The specified queue does not exist.")
}

func errMissing(parameter string) *SQSError {
	return sqsErrorf("MissingParameter", "The request must contain the parameter %s.", parameter)
}

func errParameter(value any, parameter, reason string) *SQSError {
	return sqsErrorf("InvalidParameterValue", "Value %v for parameter %s is invalid. Reason: %s", value, parameter, reason)
}

func errAttributeValue(name string) *SQSError {
	return sqsErrorf("InvalidAttributeValue", "Invalid value for the parameter %s.", name)
}
