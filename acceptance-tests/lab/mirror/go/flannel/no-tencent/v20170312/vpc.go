// Package v20170312 stands in for a module that cannot be had: it has what flannel's backend for one cloud needs to compile. That
// backend fails here; the lab has no such cloud.
package v20170312

import "errors"

var errAbsent = errors.New("this flannel is built without its Tencent backend")

type Client struct{}

func NewClientWithSecretId(_, _, _ string) (*Client, error) { return &Client{}, errAbsent }

type Filter struct {
	Name   *string
	Values []*string
}

type Route struct {
	DestinationCidrBlock, GatewayType, GatewayId, RouteType *string
	RouteId                                                 *uint64
	Enabled                                                 *bool
}

type RouteTable struct {
	RouteTableId *string
	RouteSet     []*Route
}

type RouteTables struct{ RouteTableSet []*RouteTable }

type DescribeRouteTablesRequest struct{ Filters []*Filter }

type DescribeRouteTablesResponse struct{ Response *RouteTables }

type RoutesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

type RoutesResponse struct{}

func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}

func NewCreateRoutesRequest() *RoutesRequest { return &RoutesRequest{} }

func NewDeleteRoutesRequest() *RoutesRequest { return &RoutesRequest{} }

func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, errAbsent
}

func (*Client) CreateRoutes(*RoutesRequest) (*RoutesResponse, error) { return nil, errAbsent }

func (*Client) DeleteRoutes(*RoutesRequest) (*RoutesResponse, error) { return nil, errAbsent }
