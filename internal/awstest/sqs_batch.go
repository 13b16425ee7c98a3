package awstest

import "regexp"

type batchInput[E any] struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []E    `json:"Entries"`
}

// batchOutput answers a batch. HTTP says 200 even if every entry failed.
type batchOutput struct {
	Successful []any          `json:"Successful"`
	Failed     []batchFailure `json:"Failed,omitempty"`
}

type batchSuccess struct {
	ID string `json:"Id"`
}

type batchFailure struct {
	ID          string `json:"Id"`
	Code        string `json:"Code"`
	Message     string `json:"Message"`
	SenderFault bool   `json:"SenderFault"`
}

type batchEntry interface{ entryID() string }

var entryIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// checkBatch refuses a batch that SQS refuses as a whole.
func checkBatch[E batchEntry](entries []E) *SQSError {
	if len(entries) == 0 {
		return sqsErrorf("EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(entries) > maxBatch {
		return sqsErrorf("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(entries))
	}
	seen := map[string]bool{}
	for _, e := range entries {
		id := e.entryID()
		if !entryIDPattern.MatchString(id) {
			return sqsErrorf("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[id] {
			return sqsErrorf("BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[id] = true
	}
	return nil
}

// batch does each entry by itself, except those that the fault picks out.
func batch[E batchEntry](c *call, entries []E, do func(E) (any, *SQSError)) (any, *SQSError) {
	out := batchOutput{Successful: []any{}}
	for i, e := range entries {
		result, err := any(nil), c.fault.FailEntries[i]
		if err == nil {
			result, err = do(e)
		}
		if err != nil {
			out.Failed = append(out.Failed, batchFailure{ID: e.entryID(), Code: err.Code, Message: err.Message, SenderFault: err.senderFault()})
			continue
		}
		out.Successful = append(out.Successful, result)
	}
	return out, nil
}

func (s *SQS) sendMessageBatch(c *call, in batchInput[sendEntry]) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err == nil {
		err = checkBatch(in.Entries)
	}
	if err != nil {
		return nil, err
	}
	size := 0
	for _, e := range in.Entries {
		size += len(e.MessageBody)
	}
	if size > maxBody {
		return nil, sqsErrorf("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBody, size)
	}
	return batch(c, in.Entries, func(e sendEntry) (any, *SQSError) {
		if c.fault.Swallow {
			return s.sent(e), nil
		}
		return asAny(s.send(q, e))
	})
}

func (s *SQS) deleteMessageBatch(c *call, in batchInput[handleEntry]) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err == nil {
		err = checkBatch(in.Entries)
	}
	if err != nil {
		return nil, err
	}
	return batch(c, in.Entries, func(e handleEntry) (any, *SQSError) {
		if c.fault.Swallow {
			return batchSuccess{e.ID}, nil
		}
		return batchSuccess{e.ID}, q.delete(e.ReceiptHandle)
	})
}

func (s *SQS) changeMessageVisibilityBatch(c *call, in batchInput[handleEntry]) (any, *SQSError) {
	q, err := s.queue(in.QueueURL)
	if err == nil {
		err = checkBatch(in.Entries)
	}
	if err != nil {
		return nil, err
	}
	return batch(c, in.Entries, func(e handleEntry) (any, *SQSError) {
		if e.VisibilityTimeout == nil {
			return nil, errMissing("VisibilityTimeout")
		}
		if c.fault.Swallow {
			return batchSuccess{e.ID}, nil
		}
		return batchSuccess{e.ID}, q.changeVisibility(e.ReceiptHandle, *e.VisibilityTimeout, s.now())
	})
}
