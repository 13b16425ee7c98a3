//go:build conformance

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// TestElasticMQ uses ElasticMQ for the queue. The objects are in the S3 of the other tests, and the test announces them, several in a message.
func TestElasticMQ(t *testing.T) {
	t.Parallel()
	cloud, err := awstest.NewCloud(awstest.Options{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close cloud: %v", err)
		}
	})
	servers := newServers(cloud.S3URL, startElasticMQ(t))
	runSuite(t, servers.shared)
}

const elasticMQConfig = `
include classpath("application.conf")
node-address {protocol = http, host = %[1]q, port = %[2]s, context-path = ""}
rest-sqs {enabled = true, bind-hostname = %[1]q, bind-port = %[2]s, sqs-limits = strict}
rest-stats {enabled = false}
aws {region = %[3]q, accountId = %[4]q}
`

// startElasticMQ starts a server and returns its address.
func startElasticMQ(t *testing.T) string {
	t.Helper()
	if *elasticMQFiles == "" {
		t.Fatal("-elasticmq names no folder")
	}
	host, port := freeAddress(t)
	config := filepath.Join(t.TempDir(), "elasticmq.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, elasticMQConfig, host, port, region, awstest.AccountID), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "http://" + host + ":" + port
	start(t, nil, "java", "-Dconfig.file="+config, "-cp", filepath.Join(*elasticMQFiles, "*"), "org.elasticmq.server.Main").answers(t, url)
	return url
}
