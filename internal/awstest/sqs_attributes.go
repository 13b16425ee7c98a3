package awstest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Limits of SQS, from its developer guide.
const (
	maxVisibility = 12 * time.Hour
	maxWait       = 20 * time.Second
	maxDelay      = 15 * time.Minute
	maxBody       = 1 << 20
	maxBatch      = 10
	maxInFlight   = 120_000
)

// settings are a queue's own attributes, parsed, and as they were given.
type settings struct {
	raw                                map[string]string
	visibility, retention, delay, wait time.Duration
	maxBody                            int
	redrive                            *redrivePolicy
}

type redrivePolicy struct {
	DeadLetterTargetARN string      `json:"deadLetterTargetArn"`
	MaxReceiveCount     json.Number `json:"maxReceiveCount"`

	maxReceives int
}

func defaultAttributes() map[string]string {
	return map[string]string{
		"DelaySeconds":                  "0",
		"MaximumMessageSize":            strconv.Itoa(maxBody),
		"MessageRetentionPeriod":        "345600",
		"ReceiveMessageWaitTimeSeconds": "0",
		"SqsManagedSseEnabled":          "true",
		"VisibilityTimeout":             "30",
	}
}

// readOnlyAttributes are told, but cannot be set.
func readOnlyAttributes() []string {
	return []string{
		"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed",
		"ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn",
	}
}

// opaqueAttributes can be set and are told, and change nothing here.
func opaqueAttributes() []string {
	return []string{
		"KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "SqsManagedSseEnabled",
	}
}

// parseAttributes returns the settings of a queue that has the old attributes and is given new ones.
// An empty value takes an attribute away.
func parseAttributes(old, given map[string]string, queueExists func(arn string) bool) (settings, *SQSError) {
	raw := maps.Clone(old)
	for name, value := range given {
		if value == "" {
			delete(raw, name)
			continue
		}
		raw[name] = value
	}
	set := settings{raw: raw}
	for name, value := range raw {
		if err := set.parse(name, value, queueExists); err != nil {
			return settings{}, err
		}
	}
	return set, nil
}

func (s *settings) parse(name, value string, queueExists func(arn string) bool) *SQSError {
	var ok bool
	switch name {
	case "VisibilityTimeout":
		s.visibility, ok = parseSeconds(value, 0, maxVisibility)
	case "MessageRetentionPeriod":
		s.retention, ok = parseSeconds(value, time.Minute, 14*24*time.Hour)
	case "DelaySeconds":
		s.delay, ok = parseSeconds(value, 0, maxDelay)
	case "ReceiveMessageWaitTimeSeconds":
		s.wait, ok = parseSeconds(value, 0, maxWait)
	case "MaximumMessageSize":
		var err error
		s.maxBody, err = strconv.Atoi(value)
		ok = err == nil && s.maxBody >= 1024 && s.maxBody <= maxBody
	case "RedrivePolicy":
		return s.parseRedrivePolicy(value, queueExists)
	default:
		if !slices.Contains(opaqueAttributes(), name) {
			return sqsErrorf("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
		ok = true
	}
	if !ok {
		return errAttributeValue(name)
	}
	return nil
}

func (s *settings) parseRedrivePolicy(value string, queueExists func(arn string) bool) *SQSError {
	var policy redrivePolicy
	if err := json.Unmarshal([]byte(value), &policy); err != nil {
		return errParameter(value, "RedrivePolicy", "Redrive policy is not a valid JSON map.")
	}
	count, err := strconv.Atoi(policy.MaxReceiveCount.String())
	if err != nil || count < 1 || count > 1000 {
		return errParameter(value, "RedrivePolicy", "Invalid value for maxReceiveCount, valid values are from 1 to 1000 both inclusive.")
	}
	if !queueExists(policy.DeadLetterTargetARN) {
		return errParameter(value, "RedrivePolicy", "Dead letter target does not exist.")
	}
	policy.maxReceives = count
	s.redrive = &policy
	return nil
}

func parseSeconds(value string, low, high time.Duration) (time.Duration, bool) {
	seconds, err := strconv.ParseInt(value, 10, 32)
	d := time.Duration(seconds) * time.Second
	return d, err == nil && d >= low && d <= high
}

// attributes returns the queue's attributes of these names, or all.
func (q *queue) attributes(names []string, now time.Time) (map[string]string, *SQSError) {
	visible, inFlight, delayed := q.depth(now)
	all := maps.Clone(q.raw)
	all["QueueArn"] = q.arn
	all["CreatedTimestamp"] = strconv.FormatInt(q.created.Unix(), 10)
	all["LastModifiedTimestamp"] = strconv.FormatInt(q.modified.Unix(), 10)
	all["ApproximateNumberOfMessages"] = strconv.Itoa(visible)
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(inFlight)
	all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(delayed)
	if slices.Contains(names, "All") {
		return all, nil
	}
	wanted := map[string]string{}
	for _, name := range names {
		if value, ok := all[name]; ok {
			wanted[name] = value
		} else if !knownAttribute(name) {
			return nil, sqsErrorf("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return wanted, nil
}

func knownAttribute(name string) bool {
	_, isDefault := defaultAttributes()[name]
	return isDefault || name == "RedrivePolicy" ||
		slices.Contains(readOnlyAttributes(), name) || slices.Contains(opaqueAttributes(), name)
}
