package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
)

// fallbackRegion signs requests where neither the environment nor the queue's URL names a region; emulators do not mind.
const fallbackRegion = "us-east-1"

// loadAWS reads credentials, region and endpoints as every AWS tool does: environment, shared files, SSO, web identity, instance role.
func loadAWS(ctx context.Context) (aws.Config, error) {
	// A buildable client, because the SDK adds AWS_CA_BUNDLE to its transport.
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout = time.Minute // Longer than SQS's long poll.
		t.MaxIdleConnsPerHost = 64
	})
	config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(client))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	return config, nil
}

var queueHost = regexp.MustCompile(`^(?:sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?|([a-z0-9-]+)\.queue\.amazonaws\.com(?:\.cn)?)$`)

// queueRegion returns the region in a queue's URL, or "" if it is not one of AWS's.
func queueRegion(queueURL string) string {
	u, err := url.Parse(queueURL)
	if err != nil {
		return ""
	}
	m := queueHost.FindStringSubmatch(u.Hostname())
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}

// newSQSClient returns a client for the region that the queue's URL names. A queue elsewhere than at AWS is asked where its URL says, unless
// AWS_ENDPOINT_URL_SQS says otherwise.
func newSQSClient(config aws.Config, queueURL string) *sqs.Client {
	region := queueRegion(queueURL)
	client := sqs.NewFromConfig(config, func(o *sqs.Options) {
		if region != "" {
			o.Region = region
		}
		if o.Region == "" {
			o.Region = fallbackRegion
		}
	})
	u, err := url.Parse(queueURL)
	if err != nil || region != "" || client.Options().BaseEndpoint != nil || isAWSHost(u.Hostname()) {
		return client
	}
	return sqs.New(client.Options(), func(o *sqs.Options) { o.BaseEndpoint = aws.String(u.Scheme + "://" + u.Host) })
}

var awsHost = regexp.MustCompile(`\.(?:amazonaws\.com(?:\.cn)?|api\.aws|vpce\.amazonaws\.com|c2s\.ic\.gov|sc2s\.sgov\.gov|amazonaws\.eu)$`)

func isAWSHost(host string) bool { return awsHost.MatchString(host) }

// newS3Client returns the factory of one client per bucket region, "" being the default one. With an endpoint of its own (AWS_ENDPOINT_URL_S3) there
// is one region, and buckets are part of the path, as all servers that speak S3 understand.
func newS3Client(config aws.Config, defaultRegion string) func(region string) objstore.API {
	if config.Region == "" {
		config.Region = defaultRegion
	}
	if config.Region == "" {
		config.Region = fallbackRegion
	}
	return func(region string) objstore.API {
		client := s3.NewFromConfig(config)
		if client.Options().BaseEndpoint != nil {
			return s3.New(client.Options(), func(o *s3.Options) { o.UsePathStyle = true })
		}
		if region != "" {
			return s3.New(client.Options(), func(o *s3.Options) { o.Region = region })
		}
		return client
	}
}
