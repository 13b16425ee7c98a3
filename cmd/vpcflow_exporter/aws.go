package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"

	"github.com/vpcflow/vpcflow_exporter/collector/objstore"
)

// fallbackRegion signs requests where neither the environment nor the queue's URL names a region; emulators do not mind.
const fallbackRegion = "us-east-1"

// loadAWS reads credentials, region and endpoints as every AWS tool does: environment, shared files, SSO, web identity, instance role.
func loadAWS(ctx context.Context, logger *slog.Logger) (aws.Config, error) {
	// A buildable client, because the SDK adds AWS_CA_BUNDLE to its transport.
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout = time.Minute // Longer than SQS's long poll.
		t.MaxIdleConnsPerHost = 64
	})
	config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(client), awsconfig.WithLogger(sdkLogger(logger)))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	return config, nil
}

// sdkLogger hands what the SDK has to say to the daemon's log.
func sdkLogger(logger *slog.Logger) logging.LoggerFunc {
	return func(class logging.Classification, format string, v ...any) {
		level := slog.LevelDebug
		if class == logging.Warn {
			level = slog.LevelWarn
		}
		logger.Log(context.Background(), level, "AWS SDK", "text", fmt.Sprintf(format, v...))
	}
}

// Hosts of SQS: standard, FIPS, dual-stack and VPC endpoints of all partitions, and the legacy form.
var (
	queueHost       = regexp.MustCompile(`(?:^|\.)sqs(?:-fips)?\.([a-z]+(?:-[a-z]+)+-[0-9]+)\.`)
	legacyQueueHost = regexp.MustCompile(`^([a-z]+(?:-[a-z]+)+-[0-9]+)\.queue\.amazonaws\.com(?:\.cn)?$`)
	plainQueueHost  = regexp.MustCompile(`^(?:sqs\.[a-z0-9-]+|(?:[a-z0-9-]+\.)?queue)\.amazonaws\.com(?:\.cn)?$`)
)

// queueRegion returns the region in a queue's URL, or "" if it names none.
func queueRegion(queueURL string) string {
	host := urlHost(queueURL)
	for _, pattern := range []*regexp.Regexp{queueHost, legacyQueueHost} {
		if m := pattern.FindStringSubmatch(host); m != nil {
			return m[1]
		}
	}
	return ""
}

func urlHost(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// newSQSClient returns a client for the region that the queue's URL names. Unless that is AWS's standard host, or AWS_ENDPOINT_URL_SQS says otherwise, the
// queue is asked where its URL says: at a VPC endpoint, or at a server that stands in for SQS.
func newSQSClient(config aws.Config, queueURL string) *sqs.Client {
	region := queueRegion(queueURL)
	return sqs.NewFromConfig(config, func(o *sqs.Options) {
		if region != "" {
			o.Region = region
		}
		if o.Region == "" {
			o.Region = fallbackRegion
		}
		u, err := url.Parse(queueURL)
		if err == nil && o.BaseEndpoint == nil && !plainQueueHost.MatchString(urlHost(queueURL)) {
			o.BaseEndpoint = aws.String(u.Scheme + "://" + u.Host)
		}
	})
}

// newS3Client returns the factory of one client per bucket region, "" being the default one. With an endpoint of its own (AWS_ENDPOINT_URL_S3) there
// is one region, and buckets are part of the path, as all servers that speak S3 understand.
func newS3Client(config aws.Config, defaultRegion string) func(region string) *s3.Client {
	config.Region = cmp.Or(config.Region, defaultRegion, fallbackRegion)
	return func(region string) *s3.Client {
		return s3.NewFromConfig(config, func(o *s3.Options) {
			if o.BaseEndpoint != nil {
				o.UsePathStyle = true
			} else if region != "" {
				o.Region = region
			}
		})
	}
}

// newStoreClient is newS3Client for reading objects.
func newStoreClient(config aws.Config, defaultRegion string) func(region string) objstore.API {
	client := newS3Client(config, defaultRegion)
	return func(region string) objstore.API { return client(region) }
}
