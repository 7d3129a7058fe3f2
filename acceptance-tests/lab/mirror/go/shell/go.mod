module lab.local/shell

go 1.26.0
