module overhead

go 1.21
