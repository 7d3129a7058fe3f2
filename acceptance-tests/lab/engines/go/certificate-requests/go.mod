module lab.local/certificate-requests

go 1.26.0
