package config

// nearest returns the candidate with the smallest edit distance from text, and that distance.
func nearest(text string, candidates []string) (string, int) {
	best, least := "", 1<<30
	if len(text) > 100 {
		return best, least
	}
	for _, c := range candidates {
		if distance := editDistance(text, c); distance < least {
			best, least = c, distance
		}
	}
	return best, least
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
