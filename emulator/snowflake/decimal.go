package snowflake

import (
	"math/big"
	"strconv"
	"strings"
)

// decimal is coefficient * 10^-scale. The scale is negative only for DECFLOAT.
type decimal struct {
	coef  *big.Int
	scale int
}

// maxExponent is that of DECFLOAT.
const maxExponent = 16384

func newDecimal(n int64) decimal { return decimal{coef: big.NewInt(n)} }

// parseDecimal reads digits with a sign, a fraction and an exponent.
func parseDecimal(text string) (decimal, bool) {
	mantissa, exponent := strings.TrimSpace(text), 0
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		e, err := strconv.Atoi(mantissa[i+1:])
		if err != nil || e > maxExponent || e < -maxExponent {
			return decimal{}, false
		}
		mantissa, exponent = mantissa[:i], e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	unsigned := strings.TrimLeft(whole, "+-")
	if len(whole)-len(unsigned) > 1 || len(unsigned)+len(fraction) == 0 || digits(unsigned, 0) < len(unsigned) || digits(fraction, 0) < len(fraction) {
		return decimal{}, false
	}
	if len(unsigned)+len(fraction) > 4*maxPrecision {
		return decimal{}, false
	}
	coef, ok := new(big.Int).SetString(strings.TrimPrefix(whole, "+")+fraction, 10)
	if !ok {
		return decimal{}, false
	}
	d := decimal{coef, len(fraction) - exponent}
	if exponent > 0 && d.scale < 0 && -d.scale <= 2*maxPrecision {
		d = d.rescale(0)
	}
	return d, true
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// rescale rounds half away from zero.
func (d decimal) rescale(scale int) decimal {
	switch {
	case scale == d.scale:
		return d
	case scale > d.scale:
		return decimal{new(big.Int).Mul(d.coef, pow10(scale-d.scale)), scale}
	}
	unit := pow10(d.scale - scale)
	half := new(big.Int).Rsh(unit, 1)
	if d.coef.Sign() < 0 {
		half.Neg(half)
	}
	sum := half.Add(half, d.coef)
	return decimal{sum.Quo(sum, unit), scale}
}

// precision is the number of digits.
func (d decimal) precision() int { return len(strings.TrimPrefix(d.coef.String(), "-")) }

// cmp compares by magnitude first, so that exponents far apart cost nothing.
func (d decimal) cmp(o decimal) int {
	if d.scale == o.scale {
		return d.coef.Cmp(o.coef)
	}
	if a, b := d.coef.Sign(), o.coef.Sign(); a != b || a == 0 {
		return a - b
	}
	if a, b := d.precision()-d.scale, o.precision()-o.scale; a != b {
		if (a > b) == (d.coef.Sign() > 0) {
			return 1
		}
		return -1
	}
	scale := max(d.scale, o.scale)
	return d.rescale(scale).coef.Cmp(o.rescale(scale).coef)
}

// String writes all digits, those of the scale included.
func (d decimal) String() string {
	if d.scale <= 0 {
		return d.rescale(0).coef.String()
	}
	text, sign := d.coef.String(), ""
	if text[0] == '-' {
		text, sign = text[1:], "-"
	}
	if missing := d.scale + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	return sign + text[:len(text)-d.scale] + "." + text[len(text)-d.scale:]
}

// reduce drops zeros at the end and rounds to the digits of a DECFLOAT.
func (d decimal) reduce() decimal {
	if extra := d.precision() - maxPrecision; extra > 0 {
		d = d.rescale(d.scale - extra)
	}
	if d.coef.Sign() == 0 {
		return newDecimal(0)
	}
	text := d.coef.String()
	zeros := len(text) - len(strings.TrimRight(text, "0"))
	coef, _ := new(big.Int).SetString(text[:len(text)-zeros], 10)
	return decimal{coef, d.scale - zeros}
}

// scientific is the text of a DECFLOAT: plain as long as that isn't longer than
// its digits, else with an exponent.
func (d decimal) scientific() string {
	d = d.reduce()
	if d.scale >= 0 && d.scale <= maxPrecision || d.scale < 0 && d.precision()-d.scale <= maxPrecision {
		return d.String()
	}
	text, sign := d.coef.String(), ""
	if text[0] == '-' {
		text, sign = text[1:], "-"
	}
	exponent := len(text) - 1 - d.scale
	if len(text) > 1 {
		text = text[:1] + "." + text[1:]
	}
	return sign + text + "e" + strconv.Itoa(exponent)
}

func (d decimal) float() float64 {
	f, _ := strconv.ParseFloat(d.coef.String()+"e"+strconv.Itoa(-d.scale), 64)
	return f
}

// fits rounds to the scale of a NUMBER and says whether the digits suffice.
func (d decimal) fits(c Column) (decimal, bool) {
	if d.scale < -2*maxPrecision {
		return d, false
	}
	d = d.rescale(c.Scale)
	return d, d.coef.Sign() == 0 || d.precision() <= c.Precision
}
