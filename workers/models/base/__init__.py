"""What every family of models is and gives.

- `family`: one architecture, as planning, checkpoints and loading ask for it, without torch.
- `layers`: FairScale's tensor-parallel layers as every family builds them.
- `model`: what a rank's part of every family's model is and gives.
- `parameter`: one parameter of a model: its name, its size, and how ranks share it.
- `room`: a module's weights as memory without numbers.
- `shape`: the sizes of a decoder-only transformer and what follows from them, without torch.
- `torch_dtypes`: torch's number formats by the names that specs use.

Public: `CheckpointNames`, `DecoderModel`, `Family`, `Hold`, `MatrixBytes`, `ModelShape`,
`Parameter`, `TORCH_DTYPES`, `column`, `embedding`, `format_name`, `make_room`, `part_of`, `row`,
`unfilled`, `vocabulary_embedding`.
"""
