// Command validate says what a JSON schema makes of documents.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "validate:", err)
		os.Exit(1)
	}
}

// run answers with the complaint about each document, which is empty where there is none.
func run() error {
	var asked struct {
		Schema    any            `json:"schema"`
		Documents map[string]any `json:"documents"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", asked.Schema); err != nil {
		return err
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		return err
	}
	complaints := map[string]string{}
	for name, document := range asked.Documents {
		complaints[name] = ""
		if err := schema.Validate(document); err != nil {
			complaints[name] = err.Error()
		}
	}
	return json.NewEncoder(os.Stdout).Encode(complaints)
}
