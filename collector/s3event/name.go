package s3event

import (
	"regexp"
	"strings"
	"time"
)

// Name is what the file name that AWS gives a flow log file says:
//
//	{account}_vpcflowlogs_{region}_{flow log id}_{yyyyMMddTHHmmZ}_{hash}.log.gz
//
// or the same with .log.parquet. Source: AWS, "Flow log files".
type Name struct {
	// Account is the 12-digit id of the flow log's owner.
	Account   string
	Region    string
	FlowLogID string
	// Time is the begin of the file's window in UTC: AWS says that the records
	// in it have their end within the five minutes from Time.
	Time time.Time
	Hash string
	// Ext is ".log.gz" or ".log.parquet".
	Ext string
}

const (
	extText    = ".log.gz"
	extParquet = ".log.parquet"
	service    = "vpcflowlogs"
	timeLayout = "20060102T1504Z"
)

var (
	accountPattern   = regexp.MustCompile(`^[0-9]{12}$`)
	flowLogIDPattern = regexp.MustCompile(`^fl-[0-9a-f]{1,32}$`)
	hashPattern      = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)
	// Regions are "eu-west-3", "us-gov-west-1", "us-isob-east-1",
	// "eusc-de-east-1".
	regionPattern = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{1,16}){1,3}-[0-9]{1,2}$`)
)

func isRegion(s string) bool { return regionPattern.MatchString(s) }

// ParseName reads the file name at the end of a key. Whatever stands before the
// last slash does not matter: plain, Hive-compatible and hourly prefixes and the
// bucket owner's own are equal. If the name is not AWS's, ok is false.
func ParseName(key string) (name Name, ok bool) {
	base := baseName(key)
	stem, ext := base, ""
	for _, e := range []string{extText, extParquet} {
		if s, found := strings.CutSuffix(base, e); found {
			stem, ext = s, e
			break
		}
	}
	parts := strings.Split(stem, "_")
	if ext == "" || len(parts) != 6 || parts[1] != service {
		return Name{}, false
	}
	t, err := time.Parse(timeLayout, parts[4])
	if err != nil ||
		!accountPattern.MatchString(parts[0]) ||
		!isRegion(parts[2]) ||
		!flowLogIDPattern.MatchString(parts[3]) ||
		!hashPattern.MatchString(parts[5]) {
		return Name{}, false
	}
	return Name{
		Account:   parts[0],
		Region:    parts[2],
		FlowLogID: parts[3],
		Time:      t,
		Hash:      parts[5],
		Ext:       ext,
	}, true
}

// String returns the file name that [ParseName] read.
func (n Name) String() string {
	return strings.Join([]string{n.Account, service, n.Region, n.FlowLogID, n.Time.UTC().Format(timeLayout), n.Hash}, "_") + n.Ext
}

func baseName(key string) string {
	return key[strings.LastIndexByte(key, '/')+1:]
}
