package state

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

// ErrLocked is the error of a file that another process has open.
var ErrLocked = errors.New("another process holds it: stop that one, or give each process a state.path of its own")

// ErrDamaged is the error of a file that is not as it was written. It is left as it is.
var ErrDamaged = errors.New("the file is damaged, and nothing was changed: restore it from a backup, " +
	"or move it away to begin anew, then counters begin at 0 and files that are delivered again count again")

func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w (%s)", ErrDamaged, fmt.Sprintf(format, args...))
}

// noSpace are the errors of a file system that lacks space for a write, or of a limit that stands for it.
var noSpace = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// classify makes aggregator.ErrFull of an error that leaves the file as it was. A write that fails does, since it was into free pages. A sync that fails does
// not: what the file holds is unknown then, whatever the reason.
func classify(err error) error {
	var write *fs.PathError
	wrote := errors.As(err, &write)
	for _, e := range noSpace {
		// The text is all that bbolt keeps of an error of truncate, by which it makes the file larger.
		if wrote && errors.Is(err, e) || err != nil && strings.HasPrefix(err.Error(), "file resize error") && strings.HasSuffix(err.Error(), e.Error()) {
			return fmt.Errorf("%w: %w", aggregator.ErrFull, err)
		}
	}
	return err
}
