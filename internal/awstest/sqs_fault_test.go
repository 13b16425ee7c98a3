package awstest_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// only returns a hook that applies the fault to the first request of one operation.
func only(operation string, fault awstest.SQSFault) awstest.SQSHook {
	return func(r awstest.SQSRequest) awstest.SQSFault {
		if r.Operation == operation && r.Number == 1 {
			return fault
		}
		return awstest.SQSFault{}
	}
}

func TestSQSFaults(t *testing.T) {
	b := newBench(t, awstest.Options{}, nil)
	b.server.SetHook(only("SendMessage", awstest.SQSFault{Err: &awstest.SQSError{Status: 503, Code: "ServiceUnavailable", Message: "busy"}}))
	_, err := b.client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: new("x")})
	if errorCode(err) != "ServiceUnavailable" {
		t.Errorf("error is %v, want ServiceUnavailable", err)
	}
	b.wantDepth(b.url, 0, 0, 0)
	b.send(b.url, "x")
	if got := b.server.Requests("SendMessage"); got != 2 {
		t.Errorf("%d requests counted, want 2", got)
	}

	b.server.SetHook(only("DeleteMessage", awstest.SQSFault{Swallow: true}))
	message := b.receiveOne(b.url, 0, 600)
	if err := b.delete(message.ReceiptHandle); err != nil {
		t.Errorf("swallowed delete: %v", err)
	}
	b.wantDepth(b.url, 0, 1, 0)
	if err := b.delete(message.ReceiptHandle); err != nil {
		t.Fatal(err)
	}
	b.wantDepth(b.url, 0, 0, 0)

	b.server.SetHook(only("SendMessageBatch", awstest.SQSFault{LoseAnswer: true}))
	if _, err := b.client.SendMessageBatch(t.Context(), batchOf(3, b.url)); err == nil {
		t.Error("a lost answer is no error")
	}
	b.wantDepth(b.url, 3, 0, 0)
}

func batchOf(n int, url string) *sqs.SendMessageBatchInput {
	in := &sqs.SendMessageBatchInput{QueueUrl: &url}
	for i := range n {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), MessageBody: new("body")})
	}
	return in
}

func TestSQSFailEntries(t *testing.T) {
	b := newBench(t, awstest.Options{}, nil)
	if _, err := b.client.SendMessageBatch(t.Context(), batchOf(3, b.url)); err != nil {
		t.Fatal(err)
	}
	var seen awstest.SQSRequest
	b.server.SetHook(func(r awstest.SQSRequest) awstest.SQSFault {
		if r.Operation != "DeleteMessageBatch" {
			return awstest.SQSFault{}
		}
		seen = r
		return awstest.SQSFault{FailEntries: map[int]*awstest.SQSError{1: {Status: 500, Code: "InternalError", Message: "no"}}}
	})
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &b.url}
	for i, m := range b.receive(b.url, 0, 600) {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	out, err := b.client.DeleteMessageBatch(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Id != "1" || *out.Failed[0].Code != "InternalError" || out.Failed[0].SenderFault {
		t.Errorf("batch answered %+v and failed %+v", out.Successful, out.Failed)
	}
	if want := (awstest.SQSRequest{Operation: "DeleteMessageBatch", Queue: "main", Entries: 3, Number: 1}); seen != want {
		t.Errorf("hook saw %+v, want %+v", seen, want)
	}
	b.wantDepth(b.url, 0, 1, 0)
}

func TestSQSHang(t *testing.T) {
	b := newBench(t, awstest.Options{}, nil)
	b.server.SetHook(only("ReceiveMessage", awstest.SQSFault{Hang: true}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := b.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &b.url})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want the deadline", err)
	}
}

// A poll whose client has gone must not take the next message with it.
func TestSQSDeadClient(t *testing.T) {
	cloud := newCloud(t)
	url, err := cloud.CreateQueue("flow-logs", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := cloud.SQSClient(noRetry)
	for round := range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
			ended <- err
		}()
		until(t, "the poll waits", func() bool { return cloud.SQS.Polls() == 1 })
		cancel()
		if err := <-ended; err == nil {
			t.Fatal("the cancelled poll received something")
		}
		until(t, "the server notices", func() bool { return cloud.SQS.Polls() == 0 })
		if err := cloud.Send(url, "x"); err != nil {
			t.Fatal(err)
		}
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 2, VisibilityTimeout: 600})
		if err != nil || len(out.Messages) != 1 {
			t.Fatalf("round %d: the next poll received %v, %v", round, out, err)
		}
		if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: out.Messages[0].ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
}
