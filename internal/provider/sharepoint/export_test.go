package sharepoint

// OpenPaged is Open with pages of another size.
var OpenPaged = open
