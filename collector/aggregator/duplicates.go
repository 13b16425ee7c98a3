package aggregator

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// fileHash stands for the identity of a file.
type fileHash [16]byte

func hash(identity string) fileHash {
	sum := sha256.Sum256([]byte(identity))
	return fileHash(sum[:16])
}

// A fileHour is the files of an hour, which are forgotten together.
type fileHour struct {
	hour  int32 // hour is in hours since 1970.
	named bool  // named: of the times in the files' names, and not of their commits.
}

// SQS keeps a message for so long at most.
const queueRetention = 14 * 24 * time.Hour

// A file may be asked for so much longer than its message can come.
const duplicatesMargin = 24 * time.Hour

// hourOf returns where a file is remembered. A file that becomes stale by its name needs to be known only until then; any other one as long as a message of it
// may come, from its commit on.
func hourOf(file File, maxAge time.Duration, now time.Time) fileHour {
	if maxAge > 0 && !file.Time.IsZero() {
		return fileHour{hour: hoursOf(minTime(file.Time, now)), named: true}
	}
	return fileHour{hour: hoursOf(now)}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func hoursOf(t time.Time) int32 { return int32(t.Unix() / 3600) }

func (h fileHour) begin() time.Time { return time.Unix(3600*int64(h.hour), 0).UTC() }

// expired says whether no message about the files of an hour can count any more.
func (h fileHour) expired(maxAge time.Duration, now time.Time) bool {
	keep := queueRetention
	if h.named && maxAge > 0 {
		keep = maxAge
	}
	return now.Sub(h.begin().Add(time.Hour)) > keep+duplicatesMargin
}

// Buckets of the duplicates: a prefix and the hour.
const (
	namedFiles   = "files/"
	unnamedFiles = "unnamed_files/"
	hourLayout   = "2006-01-02T15"
)

func (h fileHour) bucket() string {
	prefix := unnamedFiles
	if h.named {
		prefix = namedFiles
	}
	return prefix + h.begin().Format(hourLayout)
}

// parseHour reads the name of a bucket; ok is false for one of something else.
func parseHour(bucket string) (h fileHour, ok bool) {
	text, named := strings.CutPrefix(bucket, namedFiles)
	if !named {
		if text, ok = strings.CutPrefix(bucket, unnamedFiles); !ok {
			return fileHour{}, false
		}
	}
	t, err := time.Parse(hourLayout, text)
	h = fileHour{hour: hoursOf(t), named: named}
	return h, err == nil && h.bucket() == bucket
}

// duplicates remembers which files have been committed. It is safe for concurrent use, because workers ask while a commit is written.
type duplicates struct {
	mu    sync.RWMutex
	files map[fileHash]fileHour
	hours map[fileHour][]fileHash
}

func newDuplicates() *duplicates {
	return &duplicates{files: make(map[fileHash]fileHour), hours: make(map[fileHour][]fileHash)}
}

func (d *duplicates) has(file fileHash) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, known := d.files[file]
	return known
}

// add remembers files and forgets hours.
func (d *duplicates) add(files map[fileHash]fileHour, forgotten []fileHour) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for file, hour := range files {
		d.addOne(file, hour)
	}
	for _, hour := range forgotten {
		for _, file := range d.hours[hour] {
			delete(d.files, file)
		}
		delete(d.hours, hour)
	}
}

func (d *duplicates) addOne(file fileHash, hour fileHour) bool {
	if _, known := d.files[file]; known {
		return false
	}
	d.files[file] = hour
	d.hours[hour] = append(d.hours[hour], file)
	return true
}

// replace takes over the files of another set.
func (d *duplicates) replace(with *duplicates) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files, d.hours = with.files, with.hours
}

// forgettable returns the hours that have expired, and as many of the oldest as it takes to hold the limit when more files come; early says whether there
// are any.
func (d *duplicates) forgettable(maxAge time.Duration, now time.Time, limit, more int) (hours []fileHour, early bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	files := len(d.files) + more
	newestName := d.newestName(now)
	var rest []fileHour
	for hour := range d.hours {
		clock := now
		if hour.named {
			clock = newestName
		}
		if hour.expired(maxAge, clock) {
			hours = append(hours, hour)
			files -= len(d.hours[hour])
		} else {
			rest = append(rest, hour)
		}
	}
	if files <= limit {
		return hours, false
	}
	slices.SortFunc(rest, func(a, b fileHour) int { return cmp.Compare(a.hour, b.hour) })
	for _, hour := range rest {
		if files <= limit {
			break
		}
		hours, early = append(hours, hour), true
		files -= len(d.hours[hour])
	}
	return hours, early
}

// newestName returns the end of the newest hour in the names of files, which is AWS's clock, but never later than now. A clock of this machine that runs
// ahead for a while must not make it forget files that can come again once the clock is right.
func (d *duplicates) newestName(now time.Time) time.Time {
	newest := fileHour{}
	for hour := range d.hours {
		if hour.named && hour.hour > newest.hour {
			newest = hour
		}
	}
	return minTime(now, newest.begin().Add(time.Hour))
}

// byDay counts the files by the day of their hours.
func (d *duplicates) byDay() map[string]int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	days := make(map[string]int)
	for hour, files := range d.hours {
		days[hour.begin().Format(time.DateOnly)] += len(files)
	}
	return days
}

func (d *duplicates) restore(hour fileHour, key, value []byte) error {
	if len(key) != len(fileHash{}) || len(value) != 0 {
		return errors.New("no file")
	}
	if !d.addOne(fileHash(key), hour) {
		return errors.New("file is in two hours")
	}
	return nil
}

// write reports what add will do.
func writeDuplicates(b *Batch, files map[fileHash]fileHour, forgotten []fileHour) {
	for _, file := range slices.SortedFunc(maps.Keys(files), func(a, b fileHash) int { return slices.Compare(a[:], b[:]) }) {
		if hour := files[file]; !slices.Contains(forgotten, hour) {
			b.put(hour.bucket(), file[:], nil)
		}
	}
	for _, hour := range forgotten {
		b.drop(hour.bucket())
	}
}
