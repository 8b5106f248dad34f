package config

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"mooring/internal/secret"
)

// MaxText is how many code points of a message are kept.
const MaxText = 1000

const scrubbed = "***"

// Scrub removes every secret from a text, plain or as URLs, JSON, base64 (also
// inside a longer value) and hex write it, and cuts the text at MaxText code
// points. A line of a secret with several, such as a private key, is a secret.
func Scrub(text string, secrets []secret.String) string { return Scrubber(secrets)(text) }

// Scrubber is Scrub for many texts: the forms of the secrets are found once, and
// only when there is a text.
func Scrubber(secrets []secret.String) func(text string) string {
	replacer := sync.OnceValue(func() *strings.Replacer { return replacerOf(secrets) })
	return func(text string) string {
		if text == "" {
			return ""
		}
		return Cut(replacer().Replace(strings.ToValidUTF8(text, "\uFFFD")))
	}
}

func replacerOf(secrets []secret.String) *strings.Replacer {
	var forms []string
	for _, s := range secrets {
		forms = append(forms, formsOf(s.Reveal())...)
	}
	// At one position the longest form wins, lest its rest stay.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, scrubbed)
	}
	return strings.NewReplacer(pairs...)
}

// Cut shortens a text to MaxText code points.
func Cut(text string) string {
	if utf8.RuneCountInString(text) <= MaxText {
		return text
	}
	return string([]rune(text)[:MaxText-1]) + "…"
}

// A line of a private key shorter than this is no secret by itself.
const minLine = 12

var lowerEscape = regexp.MustCompile(`%[0-9A-F]{2}`)

func formsOf(s string) []string {
	parts := []string{s}
	if trimmed := strings.TrimSpace(s); trimmed != s {
		parts = append(parts, trimmed)
	}
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); len(line) >= minLine && line != s && !strings.HasPrefix(line, "-----") {
			parts = append(parts, line)
		}
	}
	var forms []string
	for _, p := range parts {
		if strings.Trim(p, "*") == "" {
			continue // nothing, or what a scrubbed text is full of
		}
		forms = append(forms, p, hex.EncodeToString([]byte(p)), strings.ToUpper(hex.EncodeToString([]byte(p))))
		for _, escaped := range []string{url.QueryEscape(p), url.PathEscape(p), escapeAll(p), url.UserPassword("", p).String()[1:]} {
			forms = append(forms, escaped, lowerEscape.ReplaceAllStringFunc(escaped, strings.ToLower))
		}
		forms = append(forms, jsonForms(p)...)
		forms = append(forms, base64Forms(p)...)
	}
	return forms
}

// escapeAll percent-encodes all but unreserved characters, as signed URLs do.
func escapeAll(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func jsonForms(s string) []string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	html, _ := json.Marshal(s)
	bare := func(quoted string) string { quoted = strings.TrimSpace(quoted); return quoted[1 : len(quoted)-1] }
	var forms []string
	for _, f := range []string{bare(b.String()), bare(string(html))} {
		forms = append(forms, f, strings.ReplaceAll(f, "/", `\/`))
	}
	return forms
}

// base64Forms returns the base64 of s, and what is the same in the base64 of
// every text that holds s, at each of the three alignments; in both alphabets.
func base64Forms(s string) []string {
	forms := []string{base64.RawStdEncoding.EncodeToString([]byte(s))}
	for lead := range 3 {
		in := append(make([]byte, lead), s...)
		certain := base64.RawStdEncoding.EncodeToString(in)[(lead*8+5)/6 : len(in)*8/6]
		if len(certain) >= 6 { // less can't be told from other text
			forms = append(forms, certain)
		}
	}
	for _, f := range forms {
		forms = append(forms, strings.NewReplacer("+", "-", "/", "_").Replace(f))
	}
	return forms
}
