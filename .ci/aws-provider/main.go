// The program aws-provider stands for the Terraform provider hashicorp/aws in CI, which cannot install the real one. It has the real
// schema of the resources that the file schema.json beside it describes (schema.mjs writes it), and no more: it can neither plan nor
// apply. So Terraform can validate a module against it, and test the module with mock_provider.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type attribute struct {
	Type                         any
	Required, Optional, Computed bool
}

type nested struct {
	Nesting  string
	Min, Max int64
	Body     body
}

type body struct {
	Attributes map[string]attribute
	Blocks     map[string]nested
}

// typeOf reads "string", "number", "bool", or a pair such as ["map", "string"].
func typeOf(v any) tftypes.Type {
	if pair, ok := v.([]any); ok {
		element := typeOf(pair[1])
		switch pair[0] {
		case "map":
			return tftypes.Map{ElementType: element}
		case "set":
			return tftypes.Set{ElementType: element}
		default:
			return tftypes.List{ElementType: element}
		}
	}
	switch v {
	case "number":
		return tftypes.Number
	case "bool":
		return tftypes.Bool
	default:
		return tftypes.String
	}
}

func (b body) schema() *tfprotov5.SchemaBlock {
	out := &tfprotov5.SchemaBlock{}
	for name, a := range b.Attributes {
		out.Attributes = append(out.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: typeOf(a.Type), Required: a.Required, Optional: a.Optional, Computed: a.Computed,
		})
	}
	for name, n := range b.Blocks {
		nesting := tfprotov5.SchemaNestedBlockNestingModeList
		if n.Nesting == "set" {
			nesting = tfprotov5.SchemaNestedBlockNestingModeSet
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Block: n.Body.schema(), Nesting: nesting, MinItems: n.Min, MaxItems: n.Max,
		})
	}
	return out
}

func schemas(all map[string]body) map[string]*tfprotov5.Schema {
	out := map[string]*tfprotov5.Schema{}
	for name, b := range all {
		out[name] = &tfprotov5.Schema{Block: b.schema()}
	}
	return out
}

// A server answers the calls that Terraform makes to validate a module, and to test it with mocks. The embedded interface is nil: any
// other call ends the program.
type server struct {
	tfprotov5.ProviderServer

	resources, data map[string]*tfprotov5.Schema
}

func (server) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	return &tfprotov5.GetMetadataResponse{}, nil
}

func (s server) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	provider := body{Attributes: map[string]attribute{"region": {Type: "string", Optional: true}}}
	return &tfprotov5.GetProviderSchemaResponse{
		Provider: &tfprotov5.Schema{Block: provider.schema()}, ResourceSchemas: s.resources, DataSourceSchemas: s.data,
	}, nil
}

func (server) GetResourceIdentitySchemas(
	context.Context, *tfprotov5.GetResourceIdentitySchemasRequest,
) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (server) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (server) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (server) ValidateResourceTypeConfig(
	context.Context, *tfprotov5.ValidateResourceTypeConfigRequest,
) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (server) ValidateDataSourceConfig(
	context.Context, *tfprotov5.ValidateDataSourceConfigRequest,
) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (server) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

// load reads the schema from the file beside the program.
func load() (server, error) {
	program, err := os.Executable()
	if err != nil {
		return server{}, err
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(program), "schema.json"))
	if err != nil {
		return server{}, err
	}
	var all struct{ Resources, Data map[string]body }
	if err := json.Unmarshal(text, &all); err != nil {
		return server{}, fmt.Errorf("cannot read the provider's schema: %w", err)
	}
	return server{resources: schemas(all.Resources), data: schemas(all.Data)}, nil
}

func main() {
	s, err := load()
	if err == nil {
		err = tf5server.Serve("hashicorp/aws", func() tfprotov5.ProviderServer { return s })
	}
	if err != nil {
		log.Fatal(err)
	}
}
