package gunzip

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	klauspost "github.com/klauspost/compress/gzip"
)

// peers are the readers that must agree with the reference: the one of this build, and the one in Go.
func peers() map[string]*Reader {
	return map[string]*Reader{Inflater: {inflater: newInflater()}, "in Go": {inflater: new(flateInflater)}}
}

// kind sorts an error as those who read files do: cut short, damaged, or none.
func kind(err error) string {
	switch {
	case err == nil:
		return "whole"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut short"
	case errors.Is(err, ErrHeader), errors.Is(err, ErrData), errors.Is(err, ErrChecksum):
		return "damaged"
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, new(flate.CorruptInputError)):
		return "damaged"
	default:
		return err.Error()
	}
}

// reference reads a file with klauspost's own reader. It takes a file that ends in the name or comment of a member for whole, so that the standard library's
// has to agree, which in turn takes reserved flags.
func reference(file []byte, size int) ([]byte, error) {
	text, err := inflate(new(klauspost.Reader), bytes.NewReader(file), size)
	if err == nil {
		_, err = inflate(new(gzip.Reader), bytes.NewReader(file), size)
	}
	return text, err
}

// compare holds the peers to the reference on any bytes. They agree on whether a file is whole, and on its text. Of a file that is not whole they
// return the same text as far as both go: no two inflaters stop at the same byte, and C may call an end what Go calls damage.
//
// There is one exception. ISA-L reads Huffman codes with gaps, which RFC 1951 does not allow, where Go gives up. Length and checksum are right then.
func compare(t *testing.T, file []byte, size int) {
	t.Helper()
	want, wantErr := reference(file, size)
	for name, z := range peers() {
		got, err := inflate(z, iotest.HalfReader(bytes.NewReader(file)), size)
		_, exact := z.inflater.(*flateInflater)
		switch common := min(len(got), len(want)); {
		case !bytes.Equal(got[:common], want[:common]):
			t.Errorf("%s: got other text than the reference", name)
		case wantErr == nil && (err != nil || len(got) != len(want)):
			t.Errorf("%s: got %d bytes and %v of a whole file of %d", name, len(got), err, len(want))
		case exact && kind(err) != kind(wantErr):
			t.Errorf("%s: got error %v, want %v", name, err, wantErr)
		case err == nil && wantErr != nil && !errors.As(wantErr, new(flate.CorruptInputError)):
			t.Errorf("%s: got a whole file, the reference says %v", name, wantErr)
		}
	}
	if t.Failed() {
		t.Logf("%d bytes at a time of file %x", size, file)
	}
}

// TestReaderAgainstPeers reads random files: whole, cut short, damaged, of several members, and with something behind.
func TestReaderAgainstPeers(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		text := randomText(rng)
		file := randomFile(t, rng, text)
		size := []int{1, 7, 100, 4 << 10, 256 << 10}[rng.IntN(5)]
		for name, z := range peers() {
			if got, err := inflate(z, bytes.NewReader(file), size); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%s: got %d bytes and %v, want %d", name, len(got), err, len(text))
			}
		}
		compare(t, file[:rng.IntN(len(file))], size)
		compare(t, append(bytes.Clone(file), noise(rng, rng.IntN(30))...), size)
		compare(t, append(bytes.Clone(file), make([]byte, rng.IntN(30))...), size)
		for range 1 + rng.IntN(3) {
			file[rng.IntN(len(file))] ^= 1 << rng.IntN(8)
		}
		compare(t, file, size)
		if t.Failed() {
			return
		}
	}
}

// randomText is of flow log lines, of noise, or of what repeats far back.
func randomText(rng *rand.Rand) []byte {
	n := rng.IntN(2_000)
	if rng.IntN(20) == 0 {
		n = rng.IntN(200_000)
	}
	switch text := benchmarkText(n/100 + 1); rng.IntN(3) {
	case 0:
		return text
	case 1:
		return noise(rng, n)
	default:
		return append(append(text, noise(rng, n)...), text...)
	}
}

// randomFile cuts a text into the members of a file, each compressed in a way of its own.
func randomFile(t *testing.T, rng *rand.Rand, text []byte) []byte {
	t.Helper()
	var file []byte
	for range rng.IntN(4) {
		n := rng.IntN(len(text) + 1)
		file = append(file, randomMember(t, rng, text[:n])...)
		text = text[n:]
	}
	return append(file, randomMember(t, rng, text)...)
}

func randomMember(t *testing.T, rng *rand.Rand, text []byte) []byte {
	t.Helper()
	if rng.IntN(2) == 0 {
		return compressed([]int{gzip.HuffmanOnly, gzip.NoCompression, 1, 6, 9}[rng.IntN(5)], text)
	}
	m := member{flags: byte(rng.IntN(4)), text: string(text)}
	if rng.IntN(2) == 0 {
		m.extra = noise(rng, rng.IntN(10))
	}
	m.name, m.note = "name"[:rng.IntN(5)], "note"[:rng.IntN(5)]
	return m.bytes()
}

// FuzzReader holds the peers to the reference on any bytes, as the file and as what follows a header.
func FuzzReader(f *testing.F) {
	whole := member{flagHeaderChecksum, []byte("extra"), "name", "comment", "some text that is some text"}.bytes()
	f.Add(whole, uint16(7))
	f.Add(append(bytes.Clone(whole), whole[:20]...), uint16(1000))
	f.Add(compressed(gzip.DefaultCompression, benchmarkText(20)), uint16(1))
	f.Add(compressed(gzip.HuffmanOnly, []byte("abracadabra"), nil), uint16(3))
	f.Fuzz(func(t *testing.T, file []byte, size uint16) {
		if len(file) > 64<<10 {
			return
		}
		compare(t, file, int(size)+1)
		compare(t, append(member{}.bytes()[:fixedHeaderBytes], file...), int(size)+1)
	})
}
