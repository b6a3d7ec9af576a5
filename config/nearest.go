package config

import (
	"slices"
	"strings"
	"unicode"
)

// nearest returns the candidate that text was meant to be, if there is one: the one with the fewest
// mistyped letters, else the one that shares the most words, so that secretKey finds
// access_key_secret.
func nearest(text string, candidates []string) (string, bool) {
	text = snakeCase(text)
	if near, ok := nearestByLetters(text, candidates, 2); ok {
		return near, true
	}
	best, most := "", 0.3
	for _, c := range candidates {
		if shared := sharedWords(text, c); shared > most {
			best, most = c, shared
		}
	}
	return best, best != ""
}

// nearestByLetters returns the candidate with the fewest mistyped letters, if those are at most so
// many.
func nearestByLetters(text string, candidates []string, most int) (string, bool) {
	if len(text) > 100 {
		return "", false
	}
	best, least := "", len(text)
	for _, c := range candidates {
		if distance := editDistance(text, c); distance < least {
			best, least = c, distance
		}
	}
	return best, best != "" && least <= most
}

// snakeCase turns accessKeyId and access-key-id into access_key_id.
func snakeCase(text string) string {
	var b strings.Builder
	var last rune
	for _, r := range strings.ReplaceAll(text, "-", "_") {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
		last = r
	}
	return b.String()
}

// sharedWords returns which part of the words of two keys they have in common, from 0 to 1.
func sharedWords(a, b string) float64 {
	first, second := strings.Split(a, "_"), strings.Split(b, "_")
	shared := 0
	for _, word := range first {
		if slices.Contains(second, word) {
			shared++
		}
	}
	return float64(shared) / float64(len(first)+len(second)-shared)
}

// ordinary reports whether a key consists only of words of known keys, and of other words that
// people try.
func ordinary(key string, known []string) bool {
	words := append(strings.Split(strings.Join(known, "_"), "_"), "ak", "sk", "sts", "session", "user", "name", "password", "region")
	for word := range strings.SplitSeq(snakeCase(key), "_") {
		if !slices.Contains(words, word) {
			return false
		}
	}
	return true
}

// editDistance counts the bytes to insert, remove or replace to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
