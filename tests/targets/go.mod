module targets

go 1.21
