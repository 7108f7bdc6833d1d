// Command verdict says what those who wait for an object make of its status: Argo CD by its health script, Flux by
// its expressions, and kstatus. Each is asked by the code that it is made of, or by the interpreter that it uses.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type question struct {
	// The health script for Argo CD.
	Lua string `json:"lua"`
	// One entry of Flux's spec.healthCheckExprs.
	Expressions kustomize.HealthCheckExpressions `json:"expressions"`
	// The objects by name, each as JSON.
	Objects map[string]json.RawMessage `json:"objects"`
}

type answer struct {
	Argo    health `json:"argo"`
	Flux    string `json:"flux"`
	Kstatus string `json:"kstatus"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "verdict:", err)
		os.Exit(1)
	}
}

func run() error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	flux, err := cel.NewStatusEvaluator(&asked.Expressions)
	if err != nil {
		return err
	}
	answers := map[string]answer{}
	for name, text := range asked.Objects {
		// Numbers become int64, as they are for the controllers.
		var object unstructured.Unstructured
		if err := object.UnmarshalJSON(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found, err := judge(&object, asked.Lua, flux)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		answers[name] = found
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func judge(object *unstructured.Unstructured, script string, flux *cel.StatusEvaluator) (answer, error) {
	argo, err := runScript(object, script)
	if err != nil {
		return answer{}, fmt.Errorf("health script: %w", err)
	}
	called := status.UnknownStatus
	// An expression that fails is no verdict: Flux goes on waiting.
	if evaluated, err := flux.Evaluate(context.Background(), object); err == nil {
		called = status.Status(evaluated.Status)
	}
	computed, err := status.Compute(object)
	if err != nil {
		return answer{}, fmt.Errorf("kstatus: %w", err)
	}
	return answer{Argo: argo, Flux: string(called), Kstatus: string(computed.Status)}, nil
}

// runScript does as Argo CD does: the object is the global `obj`, and of the libraries only these three are there.
func runScript(object *unstructured.Unstructured, script string) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return health{}, err
		}
	}
	state.SetGlobal("obj", value(state, object.Object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("it returns no table")
	}
	return health{Status: lua.LVAsString(table.RawGetString("status")), Message: lua.LVAsString(table.RawGetString("message"))}, nil
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case int64:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		list := state.NewTable()
		for _, item := range from {
			list.Append(value(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, item := range from {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
