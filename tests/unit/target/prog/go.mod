module gscope.test/prog

go 1.19
