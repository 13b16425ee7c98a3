package flowparquet_test

import (
	"testing"

	"github.com/vpcflow/vpcflow_exporter/internal/flowparquet"
)

func TestFromTextErrors(t *testing.T) {
	for _, text := range []string{"srcaddr bytes\n10.0.0.1\n", "srcaddr bytes\n10.0.0.1 many\n"} {
		if _, err := flowparquet.FromText([]byte(text), flowparquet.Options{}); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
}
