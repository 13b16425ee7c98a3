package s3event

import (
	"strings"
	"time"
)

// Origin is where a flow log file comes from, as far as its key tells. A field
// is zero if the key does not say.
type Origin struct {
	Account, Region, FlowLogID string
	// Time is the begin of the file's window, see [Name].
	Time time.Time
}

// ParseOrigin reads the origin from a key: from the file name if it is AWS's,
// otherwise account and region from the folders below AWSLogs, which remain when
// somebody renames or merges the files in them.
func ParseOrigin(key string) Origin {
	if name, ok := ParseName(key); ok {
		return Origin{Account: name.Account, Region: name.Region, FlowLogID: name.FlowLogID, Time: name.Time}
	}
	folders, ok := parseFolders(key)
	if !ok || folders.service != service {
		return Origin{}
	}
	return Origin{Account: folders.account, Region: folders.region}
}

// folders are the levels below AWSLogs that AWS's services share. Region is
// empty if the level below the service is not shaped like one.
type folders struct {
	account, service, region string
}

// parseFolders finds both forms of AWS's folders below any prefix,
//
//	AWSLogs/{account}/{service}/{region}/
//	AWSLogs/aws-account-id={account}/aws-service={service}/aws-region={region}/
//
// with the organization's id before the account where a trail of an
// organization puts it. If the key has neither, ok is false.
func parseFolders(key string) (f folders, ok bool) {
	segments := strings.Split(key, "/")
	segments = segments[:len(segments)-1]
	for i, segment := range segments {
		if segment != "AWSLogs" {
			continue
		}
		rest := segments[i+1:]
		if len(rest) > 0 && strings.HasPrefix(rest[0], "o-") {
			rest = rest[1:]
		}
		if f, ok := readFolders(rest); ok {
			return f, true
		}
	}
	return folders{}, false
}

func readFolders(rest []string) (folders, bool) {
	if len(rest) < 2 {
		return folders{}, false
	}
	account, hive := strings.CutPrefix(rest[0], "aws-account-id=")
	if !accountPattern.MatchString(account) {
		return folders{}, false
	}
	service, named := strings.CutPrefix(rest[1], "aws-service=")
	if named != hive {
		return folders{}, false
	}
	region := ""
	if len(rest) > 2 {
		region = rest[2]
	}
	if hive {
		region = strings.TrimPrefix(region, "aws-region=")
	}
	f := folders{account: account, service: service}
	if isRegion(region) {
		f.region = region
	}
	return f, true
}

// Unwanted is why a key is not a VPC flow log file; it is empty for one that is.
type Unwanted string

// The reasons of [Wanted].
const (
	// UnwantedFolder is a folder marker: a key that ends with a slash.
	UnwantedFolder Unwanted = "folder"
	// UnwantedTestObject is the object that AWS writes to try its access.
	UnwantedTestObject Unwanted = "test_object"
	// UnwantedService is a log of another service, such as CloudTrail.
	UnwantedService Unwanted = "other_service"
	// UnwantedSuffix is a file that is neither gzip nor Parquet by its suffix.
	UnwantedSuffix Unwanted = "suffix"
)

// testObject is written by AWS's log delivery to try whether it may write.
const testObject = "aws-programmatic-access-test-object"

// Wanted reports whether a key may be a VPC flow log file, and why not. A name
// of AWS's is always wanted; a file below the folders of another AWS service
// never; any other by its suffix, .gz or .parquet.
func Wanted(key string) (bool, Unwanted) {
	base := baseName(key)
	switch base {
	case "":
		return false, UnwantedFolder
	case testObject:
		return false, UnwantedTestObject
	}
	if _, ok := ParseName(key); ok {
		return true, ""
	}
	if f, ok := parseFolders(key); ok && f.service != service {
		return false, UnwantedService
	}
	if strings.HasSuffix(base, ".gz") || strings.HasSuffix(base, ".parquet") {
		return true, ""
	}
	return false, UnwantedSuffix
}
