package recipe

import (
	"slices"
	"strings"
	"testing"
)

// sample has all modifiers that are read, with fields as SparseML's tools write
// them.
const sample = `
num_epochs: &num_epochs 10.0
init_lr: 0.01
prune: ["re:.*weight", 'fc[0]']
training_modifiers:
  - !EpochRangeModifier
      start_epoch: 0.0
      end_epoch: *num_epochs
  - !LearningRateFunctionModifier
      start_epoch: 0
      end_epoch: 2
      lr_func: linear
      init_lr: 0
      final_lr: eval(init_lr / 2)
  - !LearningRateFunctionModifier
    start_epoch: 2
    end_epoch: eval(num_epochs)
    lr_func: cosine
    init_lr: eval(init_lr * (1 - 0.5))
    final_lr: 5e-4
  - !SetWeightDecayModifier {weight_decay: 1e-4, start_epoch: -1}
  - !TrainableParamsModifier
      params: __ALL__
      trainable: False
  - !TrainableParamsModifier
      params: ["re:conv.*", fc.bias]
      trainable: True
      params_strict: False
pruning_modifiers:
  - !ConstantPruningModifier
      params: __ALL_PRUNABLE__
  - !GMPruningModifier
      params: eval(prune)
      init_sparsity: 0.05
      final_sparsity: 0.75
      start_epoch: 1
      end_epoch: eval(num_epochs - 2)
      update_frequency: 0.5
      inter_func: inverse_cubic
      mask_type: [1, 4]
      leave_enabled: True
      global_sparsity: False
      log_types: __ALL__
  - !MagnitudePruningModifier
      params: []
      init_sparsity: 0.05
      final_sparsity: {0.5: [__ALL_PRUNABLE__]}
      start_epoch: 1
      end_epoch: 8
      update_frequency: 0.5
      inter_func: inverse_cubic
      mask_type: [1, 4]
`

func TestSparseML(t *testing.T) {
	want := `epochs 10
lr 0.005@cosine:floor=0.1,warmup=2ep
schedule constant
weight-decay 0.0001
train re:^(?:conv.*),name:fc.bias
sparsity re:^(?:.*weight)=0.75 name:fc\[0]=0.75 0.5
prune-begin 0.1
prune-end 0.8
prune-schedule polynomial:power=0.333333333
prune-pattern 1x4
keep-zeros true`
	sorted := func(text string) string {
		lines := strings.Split(text, "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "lr ") { // the learning rate is known last
				lines = append(append(append([]string{}, lines[0]), lines[i:i+2]...), lines[1:i]...)
			}
		}
		return strings.Join(lines, "\n")
	}
	if got := sorted(texts(t, "r.yaml", sample)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// In Markdown, as SparseML's zoo has them, it is the same.
	if got := sorted(texts(t, "r.md", "# A model\n---\n"+sample+"---\nand a text: [\n---\n")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSparseMLRigL reads the modifier whose weights grow again.
func TestSparseMLRigL(t *testing.T) {
	text := `modifiers:
  - !RigLPruningModifier
      sparsity: 0.7
      start_epoch: 2.0
      end_epoch: 26.0
      update_frequency: 4.0
      params: ["re:.*weight"]
      leave_enabled: True
      inter_func: cubic
      global_sparsity: True
      mask_type: unstructured
      sparsity_strategy: erdos_renyi_kernel
      init_update_fraction: 0.25
`
	want := `epochs 26
sparsity re:^(?:.*weight)=0.7
prune-begin 0.0769230769
prune-end 1
prune-schedule linear:from=0.25
regrow rigl
regrow-fraction 0.25
erdos-renyi true`
	if got := texts(t, "r.yaml", text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	uniform := strings.NewReplacer("erdos_renyi_kernel", "uniform", "global_sparsity: True", "global_sparsity: False").Replace(text)
	if got, want := texts(t, "r.yaml", uniform), strings.TrimSuffix(want, "\nerdos-renyi true"); got != want {
		t.Errorf("uniform: got\n%s\nwant\n%s", got, want)
	}
}

// staged has the epochs of both stages on one clock, a variable of the whole that a
// stage has its own of, and one that it has not.
const staged = `
rate: 0.01
length: 4
dense:
  length: 6
  training_modifiers:
    - !EpochRangeModifier {start_epoch: 0, end_epoch: eval(length)}
    - !LearningRateFunctionModifier {start_epoch: 0, end_epoch: eval(length), lr_func: linear, init_lr: 0, final_lr: eval(rate)}
sparse_stage:
  modifiers:
    - !EpochRangeModifier {start_epoch: 6, end_epoch: eval(6 + length)}
    - !LearningRateFunctionModifier {start_epoch: 6, end_epoch: eval(6 + length), lr_func: cosine, init_lr: eval(rate), final_lr: 0}
  pruning_modifiers:
    - !GMPruningModifier {params: __ALL_PRUNABLE__, init_sparsity: 0, final_sparsity: 0.5, start_epoch: 6, end_epoch: 8, update_frequency: 1}
    - !GMPruningModifier {params: fc, init_sparsity: 0, final_sparsity: 0.8, start_epoch: 6, end_epoch: 8, update_frequency: 0.1}
last_stage:
  pruning_modifiers:
    - !ConstantPruningModifier {params: __ALL_PRUNABLE__, start_epoch: 8}
`

func TestSparseMLStages(t *testing.T) {
	want := `epochs 10
lr 0.01@cosine:floor=0,warmup=6ep
schedule constant
sparsity 0.5 name:fc=0.8
prune-begin 0.6
prune-end 0.8`
	got := strings.Split(texts(t, "r.yaml", staged), "\n")
	slices.Sort(got)
	lines := strings.Split(want, "\n")
	slices.Sort(lines)
	if !slices.Equal(got, lines) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

// TestSparseMLLeaveEnabled: masks that go when the run does make no difference.
func TestSparseMLLeaveEnabled(t *testing.T) {
	kept := "modifiers:\n - !EpochRangeModifier {end_epoch: 8}\n - !GMPruningModifier {params: __ALL__, init_sparsity: 0, final_sparsity: 0.5, start_epoch: 0, end_epoch: 8, update_frequency: 1}\n"
	released := strings.Replace(kept, "update_frequency: 1", "update_frequency: 1, leave_enabled: False", 1)
	if got, want := texts(t, "r.yaml", released), texts(t, "r.yaml", kept); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSparseMLMistakes(t *testing.T) {
	run := "modifiers:\n - !EpochRangeModifier {end_epoch: 10}\n"
	prune := " - !GMPruningModifier\n   params: __ALL__\n   init_sparsity: 0\n   start_epoch: 0\n   end_epoch: 8\n   update_frequency: 1\n"
	for _, c := range []struct{ text, want string }{
		{"modifiers:\n - !QuantizationModifier {start_epoch: 1}\n", "r.yaml:2: !QuantizationModifier is not read; those that are: "},
		{"modifiers:\n - !GMPruneModifier {start_epoch: 1}\n", "r.yaml:2: there is no !GMPruneModifier; did you mean !GMPruningModifier?"},
		{"modifiers: []\n", "r.yaml: no end_epoch says how long the run is"},
		{"modifiers:\n - !SetWeightDecayModifier {weight_decay: 1}\n", "r.yaml: no end_epoch says how long the run is"},
		{"modifiers:\n - a: 1\n", "r.yaml:2: a map stands where a !Modifier is wanted"},
		{"dense_stage:\n  run: 1\n", "r.yaml:1: dense_stage has no list of !Modifiers"},
		{"modifiers:\n - !EpochRangeModifier\n", "r.yaml:2: !EpochRangeModifier: end_epoch is missing"},
		{"modifiers:\n - !EpochRangeModifier {end_epoch: 3, end_epok: 4}\n", "r.yaml:2: !EpochRangeModifier: end_epok is not known; did you mean \"end_epoch\"?"},
		{"modifiers:\n - !EpochRangeModifier\n   end_epoch: many\n", "r.yaml:3: !EpochRangeModifier: end_epoch is \"many\", want a number"},
		{"modifiers:\n - !EpochRangeModifier\n   end_epoch: eval(n)\n", "r.yaml:3: !EpochRangeModifier: end_epoch: eval(n): there is no variable n"},
		{"modifiers:\n - !EpochRangeModifier\n   end_epoch: eval(max(1, 2))\n", "eval(max(1, 2)): there are no functions such as max here"},
		{"modifiers:\n - !EpochRangeModifier\n   end_epoch: eval(1/0)\n", "eval(1/0): comes to +Inf"},
		{"late_stage:\n modifiers:\n  - !EpochRangeModifier {start_epoch: 2, end_epoch: 10}\n", "r.yaml:3: !EpochRangeModifier: start_epoch is after the start of the run"},
		{"a_stage:\n  n: 3\n  modifiers: []\nb_stage:\n  modifiers:\n   - !EpochRangeModifier {end_epoch: eval(n)}\n", "there is no variable n"},
		{"sparsity_stage:\n  sparsity_modifiers:\n    SparseGPTModifier:\n      sparsity: 0.5\n", "r.yaml:2: sparsity_modifiers is not a list of !Modifiers, as SparseML's recipes have them"},
		{run + prune + "   final_sparsity: 0.5\n - !ConstantPruningModifier {params: fc, start_epoch: 7}\n", "r.yaml:10: !ConstantPruningModifier: start_epoch is 7, and what it does is done from the start"},
		{run + " - !SetWeightDecayModifier {weight_decay: 1, start_epoch: 2}\n", "r.yaml:3: !SetWeightDecayModifier: start_epoch is 2, and what it does is done from the start"},
		{run + " - !SetWeightDecayModifier {weight_decay: 1, param_groups: [0]}\n", "r.yaml:3: !SetWeightDecayModifier: param_groups is not possible here"},
		{run + " - !LearningRateFunctionModifier {start_epoch: 0, end_epoch: 10, init_lr: 1, final_lr: 0, lr_func: cyclic_linear}\n", "lr_func is \"cyclic_linear\", want linear or cosine"},
		{run + " - !LearningRateFunctionModifier {start_epoch: 0, end_epoch: 8, init_lr: 1, final_lr: 0, lr_func: linear}\n", "end_epoch is 8, and learning rates change until the end of the run, epoch 10"},
		{run + " - !LearningRateFunctionModifier {start_epoch: 2, end_epoch: 10, init_lr: 1, final_lr: 0, lr_func: linear}\n", "start_epoch is 2, and nothing says what the learning rate is before"},
		{run + " - !LearningRateFunctionModifier {start_epoch: 0, end_epoch: 10, init_lr: 0.1, final_lr: 1, lr_func: cosine}\n", "a cosine may fall, not rise"},
		{run + prune, "r.yaml:3: !GMPruningModifier: final_sparsity is missing"},
		{run + prune + "   final_sparsity: 1.5\n", "r.yaml:9: !GMPruningModifier: final_sparsity is \"1.5\", want 0 or more and less than 1"},
		{run + prune + "   final_sparsity: 0.5\n   leave_enabled: False\n", "r.yaml:10: !GMPruningModifier: leave_enabled is false, and weights that are pruned stay so, here until epoch 10: end the run with epoch 8, and go on "},
		{run + prune + "   final_sparsity: 0.5\n   leave_enabled: 1\n", "leave_enabled is \"1\", want true or false"},
		{run + prune + "   final_sparsity: 0.5\n   inter_func: square\n", "inter_func is \"square\", want linear, cubic or inverse_cubic"},
		{run + prune + "   final_sparsity: 0.5\n   mask_type: channel\n", "mask_type is \"channel\", want unstructured, block4, filter, N:M such as 2:4, or [1, 4]"},
		{run + prune + "   final_sparsity: 0.5\n" + strings.Replace(prune, "8", "9", 1) + "   final_sparsity: 0.6\n", "r.yaml:10: !GMPruningModifier: end_epoch is 9, and 8 in !GMPruningModifier of line 3: "},
		{run + strings.Replace(prune, "GM", "RigL", 1) + "   sparsity: 0.6\n", "!RigLPruningModifier: init_sparsity is not known"},
		{run + prune + "   final_sparsity: 0.5\n - !RigLPruningModifier {sparsity: 0.5, params: __ALL__, start_epoch: 0, end_epoch: 8, update_frequency: 1}\n", "inter_func is RigL's, and cubic in !GMPruningModifier of line 3: "},
		{run + " - !RigLPruningModifier {sparsity: 0.5, params: __ALL__, start_epoch: 0, end_epoch: 8, global_sparsity: False}\n", "sparsity_strategy is \"erdos_renyi_kernel\", want uniform without global_sparsity"},
		{run + " - !RigLPruningModifier {sparsity: 0.5, params: __ALL__, start_epoch: 0, end_epoch: 8, init_update_fraction: 1}\n", "init_update_fraction is 1, want more than 0 and less than 1"},
		{run + " - !RigLPruningModifier {sparsity: 0.5, params: __ALL__, start_epoch: 0, end_epoch: 8, mask_type: block4}\n", "mask_type is \"block4\", want unstructured"},
		{run + strings.Replace(prune, "__ALL__", "['re:(?=a)']", 1) + "   final_sparsity: 0.5\n", "r.yaml:4: !GMPruningModifier: params: \"re:(?=a)\" cannot be read: "},
	} {
		_, err := Parse("r.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.text, err, c.want)
		}
	}
}
