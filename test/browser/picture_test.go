//go:build browser

package browser

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// pictures is where screenshots land, for the README.
const pictures = "../../docs/screenshots"

var pictureName = regexp.MustCompile(`^[a-z0-9-]{1,60}\.png$`)

// keepPicture writes a screenshot, made small, if MOORING_TEST_SCREENSHOTS asks
// for it; otherwise tests leave the tree as it is.
func keepPicture(name string, from io.Reader) error {
	if os.Getenv("MOORING_TEST_SCREENSHOTS") == "" {
		return nil
	}
	if !pictureName.MatchString(name) {
		return errors.New("no name for a picture: " + name)
	}
	img, err := png.Decode(from)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduce(img)); err != nil {
		return err
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(pictures, name), out.Bytes(), 0o644)
}

// reduce brings a picture to 256 colours: the most frequent, and for every other
// the nearest of those. A page is mostly flat, so that nobody sees it.
func reduce(img image.Image) image.Image {
	counts, bounds := map[color.RGBA]int{}, img.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA) }
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		if n := counts[b] - counts[a]; n != 0 {
			return n
		}
		return int(a.R)<<16 + int(a.G)<<8 + int(a.B) - int(b.R)<<16 - int(b.G)<<8 - int(b.B)
	})
	palette := color.Palette{}
	for _, c := range colours[:min(256, len(colours))] {
		palette = append(palette, c)
	}
	small, index := image.NewPaletted(bounds, palette), map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := at(x, y)
			i, known := index[c]
			if !known {
				i = uint8(palette.Index(c))
				index[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	return small
}
