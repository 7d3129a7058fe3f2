// echo is what the tests run in pods: an HTTP server on port 8080 of all addresses, of both families, which says who it is and who
// called. It has client modes as well, because the image has no other client:
//
//	echo get URL...      fetches each URL and prints the answer
//	echo dig NAME...     looks up each name and prints its addresses
//
// The client modes end with status 1 when anything failed.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const timeout = 4 * time.Second

func main() {
	if len(os.Args) > 2 {
		os.Exit(client(os.Args[1], os.Args[2:]))
	}
	name, _ := os.Hostname()
	addresses, _ := net.InterfaceAddrs()
	fmt.Println("echo is up on", name, addresses)
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		local := request.Context().Value(http.LocalAddrContextKey)
		fmt.Fprintf(response, "host=%s local=%v remote=%s\n", name, local, request.RemoteAddr)
	})
	fmt.Println(http.ListenAndServe(":8080", nil))
	os.Exit(1)
}

func client(mode string, arguments []string) (status int) {
	for _, argument := range arguments {
		var answer string
		var err error
		switch mode {
		case "get":
			answer, err = get(argument)
		case "dig":
			answer, err = dig(argument)
		default:
			fmt.Println("unknown mode", mode)
			return 2
		}
		if err != nil {
			fmt.Println(argument, "ERROR", err)
			status = 1
			continue
		}
		fmt.Println(argument, "->", answer)
	}
	return status
}

func get(url string) (string, error) {
	client := http.Client{Timeout: timeout}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return fmt.Sprint(response.StatusCode, " ", string(body)), err
}

func dig(name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	return fmt.Sprint(addresses), err
}
