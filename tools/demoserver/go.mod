module demoserver

go 1.21
