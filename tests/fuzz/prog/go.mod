module fuzzprog

go 1.18
