module e2etool

go 1.21
