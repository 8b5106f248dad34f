package doc

// Read is Decode without the driver, and ByDriver without plans.
var (
	Read     = read
	ByDriver = decode
)
