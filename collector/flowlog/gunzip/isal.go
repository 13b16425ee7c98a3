//go:build isal && cgo

package gunzip

/*
#cgo LDFLAGS: -lisal
#cgo noescape inflate
#cgo nocallback inflate
#cgo noescape drain
#cgo nocallback drain

#include <stdlib.h>
#include <string.h>
#include <isa-l/igzip_lib.h>

struct progress {
	int result;
	uint32_t taken, given;
};

// inflate lets the state see the caller's buffers for the time of the call only: they are Go's.
static struct progress inflate(struct inflate_state *state, uint8_t *in, uint32_t in_bytes, uint8_t *out, uint32_t out_bytes)
{
	struct progress progress;

	state->next_in = in;
	state->avail_in = in_bytes;
	state->next_out = out;
	state->avail_out = out_bytes;
	progress.result = isal_inflate(state);
	progress.taken = in_bytes - state->avail_in;
	progress.given = out_bytes - state->avail_out;
	state->next_in = NULL;
	state->avail_in = 0;
	state->next_out = NULL;
	state->avail_out = 0;
	return progress;
}

// drain gives what was inflated before an error and found no room yet. ISA-L itself would leave it behind.
static uint32_t drain(struct inflate_state *state, uint8_t *out, uint32_t out_bytes)
{
	uint32_t bytes = state->tmp_out_valid - state->tmp_out_processed;

	if (bytes > out_bytes)
		bytes = out_bytes;
	memcpy(out, state->tmp_out_buffer + state->tmp_out_processed, bytes);
	state->tmp_out_processed += bytes;
	return bytes;
}
*/
import "C"

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"unsafe"
)

// isalInflater is the one of ISA-L. Its state is C's memory, some 90 KB, because it points into the buffers of a call; it is freed with the inflater.
type isalInflater struct {
	state  *C.struct_inflate_state
	source *bufio.Reader
	full   bool // full: the last Read had no room to spare, so that the state may hold more.
	err    error
	behind [8]byte
}

func newISALInflater() *isalInflater {
	s := &isalInflater{state: (*C.struct_inflate_state)(C.calloc(1, C.sizeof_struct_inflate_state))}
	runtime.AddCleanup(s, func(state *C.struct_inflate_state) { C.free(unsafe.Pointer(state)) }, s.state)
	return s
}

func (s *isalInflater) Reset(source *bufio.Reader) {
	C.isal_inflate_init(s.state)
	s.source, s.full, s.err = source, false, nil
}

func (s *isalInflater) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for s.err == nil {
		in, err := s.input()
		if err != nil {
			s.err = err
			break
		}
		if n := s.inflate(in, p); n > 0 {
			return n, nil
		}
	}
	return s.drain(p), s.err
}

// input returns what is buffered of the source, and reads more of it only if the state has nothing more to give.
func (s *isalInflater) input() ([]byte, error) {
	if s.source.Buffered() == 0 && !s.full {
		if _, err := s.source.Peek(1); err != nil {
			return nil, cutShort(err)
		}
	}
	return s.source.Peek(s.source.Buffered())
}

// inflate makes one call of C, takes from the source what that has used and returns how much of p it has filled. It sets s.err at the end of the stream.
func (s *isalInflater) inflate(in, p []byte) int {
	progress := C.inflate(s.state, pointer(in), length(in), pointer(p), length(p))
	n := int(progress.given)
	s.full = progress.given == length(p)
	_, _ = s.source.Discard(int(progress.taken)) // It fails never: so much is buffered.
	switch {
	case progress.result < 0:
		s.err = fmt.Errorf("%w: %s", ErrData, cause(progress.result))
	case s.state.block_state == C.ISAL_BLOCK_FINISH:
		s.err = io.EOF
	}
	return n
}

// drain returns what was inflated before the end of the stream and found no room yet.
func (s *isalInflater) drain(p []byte) int {
	n := int(C.drain(s.state, pointer(p), length(p)))
	runtime.KeepAlive(s)
	return n
}

// Behind returns the whole bytes that the state has read ahead; they begin behind the bits that fill up the last byte of the stream.
func (s *isalInflater) Behind() []byte {
	bits := int(s.state.read_in_length)
	binary.LittleEndian.PutUint64(s.behind[:], uint64(s.state.read_in)>>(bits%8))
	return s.behind[:bits/8]
}

// pointer gives C the bytes of a buffer for the time of a call.
func pointer(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(b)) }

// length is that of a buffer, as far as C can count; the rest of a longer one is left for the next call.
func length(b []byte) C.uint32_t { return C.uint32_t(min(len(b), 1<<30)) }

// cause says what ISA-L found wrong.
func cause(result C.int) string {
	switch result {
	case C.ISAL_INVALID_BLOCK:
		return "invalid block"
	case C.ISAL_INVALID_SYMBOL:
		return "invalid symbol"
	case C.ISAL_INVALID_LOOKBACK:
		return "invalid distance"
	default:
		return fmt.Sprintf("ISA-L error %d", int(result))
	}
}
