// The audit log as others read it: notes by golang.org/x/mod/sumdb/note, proofs and roots by
// github.com/transparency-dev/merkle, tiles by golang.org/x/mod/sumdb/tlog. What it is given on standard
// input it verifies, and it answers with what the libraries found, and with a note of its own making.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index  uint64
	Hashes [][]byte
}

type consistency struct {
	OldSize uint64 `json:"old_size"`
	Hashes  [][]byte
}

type question struct {
	Keys        []string
	Checkpoint  string
	Entries     [][]byte
	Tiles       map[string][]byte
	Inclusion   []inclusion
	Consistency []consistency
}

type answer struct {
	Origin      string   `json:"origin"`
	Size        uint64   `json:"size"`
	Root        []byte   `json:"root"`
	Inclusion   []bool   `json:"inclusion"`
	Consistency []bool   `json:"consistency"`
	Proofs      [][]byte `json:"proofs"`
	Key         string   `json:"key"`
	Note        string   `json:"note"`
}

func main() {
	var asked question
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	told := open(asked)
	hasher := rfc6962.DefaultHasher
	leaves := make([][]byte, len(asked.Entries))
	roots := make([][]byte, len(asked.Entries)+1)
	tree := (&compact.RangeFactory{Hash: hasher.HashChildren}).NewEmptyRange(0)
	for i, entry := range asked.Entries {
		leaves[i] = hasher.HashLeaf(entry)
		must(tree.Append(leaves[i], nil))
		root, err := tree.GetRootHash(nil)
		must(err)
		roots[i+1] = root
	}
	if string(roots[told.Size]) != string(told.Root) {
		fail("the entries come to another root")
	}
	for _, one := range asked.Inclusion {
		err := proof.VerifyInclusion(hasher, one.Index, told.Size, leaves[one.Index], one.Hashes, told.Root)
		told.Inclusion = append(told.Inclusion, err == nil)
	}
	for _, one := range asked.Consistency {
		err := proof.VerifyConsistency(
			hasher, one.OldSize, told.Size, one.Hashes, roots[one.OldSize], told.Root)
		told.Consistency = append(told.Consistency, err == nil)
	}
	told.Proofs = proveByTiles(asked, told, leaves)
	told.Key, told.Note = sign(told)
	must(json.NewEncoder(os.Stdout).Encode(told))
}

func open(asked question) answer {
	verifiers := make([]note.Verifier, len(asked.Keys))
	for i, key := range asked.Keys {
		verifier, err := note.NewVerifier(key)
		must(err)
		verifiers[i] = verifier
	}
	opened, err := note.Open([]byte(asked.Checkpoint), note.VerifierList(verifiers...))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseUint(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	if opened.Sigs[0].Name != lines[0] {
		fail("the log has another name than its key")
	}
	return answer{Origin: lines[0], Size: size, Root: root}
}

type tiles struct{ of map[string][]byte }

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	for i, tile := range wanted {
		// The name of a tile of this height is tile/8/…, and in C2SP tlog-tiles the same without the height.
		name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		found, is := t.of[name]
		if !is {
			return nil, fmt.Errorf("no %s", name)
		}
		data[i] = found
	}
	return data, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// proveByTiles answers the inclusion proof of each leaf that was asked for, one hash after the other, as
// x/mod makes it of our tiles, which it authenticates by the root.
func proveByTiles(asked question, told answer, leaves [][]byte) [][]byte {
	var root tlog.Hash
	copy(root[:], told.Root)
	reader := tlog.TileHashReader(tlog.Tree{N: int64(told.Size), Hash: root}, tiles{asked.Tiles})
	var proofs [][]byte
	for _, one := range asked.Inclusion {
		path, err := tlog.ProveRecord(int64(told.Size), int64(one.Index), reader)
		must(err)
		var leaf tlog.Hash
		copy(leaf[:], leaves[one.Index])
		must(tlog.CheckRecord(path, int64(told.Size), root, int64(one.Index), leaf))
		var bytes []byte
		for _, hash := range path {
			bytes = append(bytes, hash[:]...)
		}
		proofs = append(proofs, bytes)
	}
	return proofs
}

// sign makes a checkpoint of another log, of the same tree.
func sign(told answer) (string, string) {
	private, public, err := note.GenerateKey(rand.Reader, "example.com/go")
	must(err)
	signer, err := note.NewSigner(private)
	must(err)
	root := base64.StdEncoding.EncodeToString(told.Root)
	signed, err := note.Sign(
		&note.Note{Text: fmt.Sprintf("example.com/go\n%d\n%s\n", told.Size, root)}, signer)
	must(err)
	return public, string(signed)
}

func must(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
