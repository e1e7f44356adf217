"""What a model wants of memory, and where it then runs: catalogue, needs, ranking, and what is said of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.door.catalogue import PATH, Catalogue, MalformedCatalogue, catalogue, parse
from chalicelib.door.containers import Container
from chalicelib.door.images import Image
from chalicelib.door.kinds import Findings
from chalicelib.door.models import Stage
from chalicelib.door.needs import cpu_need, gpu_need
from chalicelib.door.placements import Placement, place
from chalicelib.door.ranking import Obstacle, Terms, rank
from chalicelib.door.shapes import read_shape
from chalicelib.door.sizing import Size, size_of_parameters
from chalicelib.door.speeds import tokens_per_s
from chalicelib.door.wishes import Wishes
from chalicelib.reports import Autoscale, Check

IMAGE = Image("1.dkr.ecr.us-east-1.amazonaws.com/some:1")
BOTH = Container("huggingface", "because", IMAGE, IMAGE)
VLLM = Container("vllm", "because", None, IMAGE)
STAGE = Stage("us-east-1", "ml.m5.large", 900.0)
BERT = {"architectures": ["BertForSequenceClassification"], "num_hidden_layers": 12, "hidden_size": 768,
        "num_attention_heads": 12, "max_position_embeddings": 512}  # fmt: skip
LLAMA_8B = {"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 32, "hidden_size": 4096,
            "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131072}  # fmt: skip
LLAMA_70B = {**LLAMA_8B, "num_hidden_layers": 80, "hidden_size": 8192, "num_attention_heads": 64}
GIB = 1 << 30


def encoder(gib: float) -> Size:
    """An encoder with so much of float32 weights."""
    return size_of_parameters({"F32": int(gib * GIB / 4)}, BERT)


def eight_billion() -> Size:
    return size_of_parameters({"BF16": 8_030_261_248}, LLAMA_8B)


def seventy_billion() -> Size:
    return size_of_parameters({"BF16": 70_553_706_496}, LLAMA_70B)


def placed(
    size: Size, container: Container = BOTH, stage: Stage = STAGE, *, table: Catalogue | None = None, **wishes: Any
) -> tuple[Placement | None, tuple[Check, ...]]:
    findings = Findings()
    placement = place(size, container, Wishes(**wishes), stage, findings, table=table)
    return placement, findings.checks()


def chosen(size: Size, container: Container = BOTH, stage: Stage = STAGE, **wishes: Any) -> Placement:
    placement, checks = placed(size, container, stage, **wishes)
    assert placement is not None, checks
    return placement


def refused(size: Size, container: Container = BOTH, stage: Stage = STAGE, **wishes: Any) -> Check:
    _, checks = placed(size, container, stage, **wishes)
    return checks[0]


def test_the_table_is_written_one_row_a_type_and_every_price_has_a_region() -> None:
    raw = json.loads(PATH.read_text())

    assert [row[0] for row in raw["instances"]] == list(catalogue().instances)
    assert {len(row[5]) for row in raw["instances"]} == {len(raw["regions"])}
    assert all(instance.gpu is None or instance.gpu_count for instance in catalogue().instances.values())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "gpus": 3}'])
def test_a_table_that_is_damaged_or_of_another_format_says_so(text: str) -> None:
    with pytest.raises(MalformedCatalogue):
        parse(text)


def test_a_region_without_prices_is_ranked_by_the_home_region_s_and_says_so() -> None:
    plan = chosen(encoder(0.4), stage=replace(STAGE, region="eu-west-1"))

    assert plan.price_per_hour_usd == 0.102
    assert "the price of us-east-1 on 2026-11-20; not known for eu-west-1" in plan.why[0]


def with_china(price: float) -> Catalogue:
    raw = json.loads(PATH.read_text())
    raw["regions"]["cn-north-1"] = ["CNY", "2026-11-01", None]
    for row in raw["instances"]:
        row[5].append(price if row[0] == "ml.m5.xlarge" else None)
    return parse(json.dumps(raw))


def test_a_price_in_yuan_is_never_taken_for_dollars() -> None:
    china = replace(STAGE, region="cn-north-1")

    placement, checks = placed(encoder(0.4), stage=china, table=with_china(1.9), max_hourly_cost=5.0)

    assert placement is not None
    assert (placement.instance_type, placement.price_per_hour_usd) == ("ml.m5.xlarge", None)
    assert "CNY 1.9 an hour in cn-north-1" in placement.why[0]
    assert [check.id for check in checks] == ["price-unknown"]


def test_half_precision_takes_twice_as_much_where_it_is_loaded_as_float32() -> None:
    kept = size_of_parameters({"BF16": 1_000_000}, BERT)
    widened = size_of_parameters({"BF16": 1_000_000}, BERT, loads_as_fp32=True)

    assert (kept.loaded_bytes, widened.loaded_bytes) == (2_000_000, 4_000_000)
    assert (kept.itemsize, widened.itemsize) == (2, 4)


def test_keys_and_values_follow_from_the_dimensions() -> None:
    grouped = read_shape(LLAMA_8B)
    whole = read_shape({key: value for key, value in LLAMA_8B.items() if key != "num_key_value_heads"})

    assert grouped is not None
    assert whole is not None
    assert grouped.kv_bytes_per_token(2) == 131_072
    assert whole.kv_bytes_per_token(2) == 4 * 131_072


@pytest.mark.parametrize(
    ("config", "bytes_per_token"),
    [
        ({"architectures": ["GPT2LMHeadModel"], "n_layer": 12, "n_head": 12, "n_embd": 768}, 36_864),
        ({"architectures": ["FalconForCausalLM"], "num_hidden_layers": 32, "hidden_size": 4544,
          "num_attention_heads": 71, "multi_query": True}, 8_192),
        ({"architectures": ["T5ForConditionalGeneration"], "num_layers": 12, "num_heads": 12, "d_model": 768,
          "d_kv": 64, "is_encoder_decoder": True}, 73_728),
        ({"architectures": ["DeepseekV3ForCausalLM"], "num_hidden_layers": 61, "hidden_size": 7168,
          "num_attention_heads": 128, "kv_lora_rank": 512, "qk_rope_head_dim": 64}, 70_272),
        ({"architectures": ["LlavaForConditionalGeneration"], "text_config": LLAMA_8B}, 131_072),
        (BERT, 0),
    ],
)  # fmt: skip
def test_each_family_s_names_are_understood(config: Mapping[str, Any], bytes_per_token: int) -> None:
    shape = read_shape(config)

    assert shape is not None
    assert shape.kv_bytes_per_token(2) == bytes_per_token


@pytest.mark.parametrize(
    "config",
    [{}, {"num_hidden_layers": 10**30, "hidden_size": 1, "num_attention_heads": 1},
     {"num_hidden_layers": True, "hidden_size": 768, "num_attention_heads": 12},
     {"num_hidden_layers": "12", "hidden_size": 768, "num_attention_heads": 12},
     {"num_hidden_layers": -1, "hidden_size": 768, "num_attention_heads": 12}],
)  # fmt: skip
def test_a_config_that_makes_no_sense_gives_no_dimensions(config: Mapping[str, Any]) -> None:
    assert read_shape(config) is None


def test_a_small_classifier_gets_the_cheapest_steady_instance() -> None:
    plan = chosen(encoder(0.4))

    assert (plan.mode, plan.instance_type, plan.price_per_hour_usd) == ("realtime", "ml.c5.large", 0.102)


def test_a_large_model_is_told_how_many_copies_there_is_room_for() -> None:
    plan = chosen(encoder(5))

    assert plan.instance_type == "ml.m5.large"
    assert plan.env == (("SAGEMAKER_MODEL_SERVER_WORKERS", "1"),)


def test_a_container_for_gpus_alone_gets_one_without_being_asked() -> None:
    plan = chosen(eight_billion(), VLLM)

    assert plan.instance_type == "ml.g6.xlarge"
    assert plan.context_tokens == 8192
    assert dict(plan.env) == {"SM_VLLM_MAX_MODEL_LEN": "8192"}


def test_bfloat16_is_never_planned_on_a_gpu_that_does_not_compute_with_it() -> None:
    small = size_of_parameters({"BF16": 1_000_000_000}, LLAMA_8B)

    plan = chosen(small, VLLM)

    assert plan.instance_type == "ml.g6.xlarge"
    ranked = rank(small, VLLM, Terms("us-east-1"), catalogue())
    t4 = next(each for each in ranked if each.name == "ml.g4dn.xlarge")
    assert t4.problem == "its T4 GPUs do not compute with bfloat16"


def test_a_model_is_split_only_as_its_heads_divide() -> None:
    odd = size_of_parameters(
        {"BF16": 40_000_000_000}, {**LLAMA_70B, "num_attention_heads": 6, "num_key_value_heads": 6}
    )

    ranked = rank(odd, VLLM, Terms("us-east-1"), catalogue())

    g5 = next(each for each in ranked if each.name == "ml.g5.48xlarge")
    assert g5.devices == 6


def test_seventy_billion_are_spread_over_gpus_that_hold_them() -> None:
    plan = chosen(seventy_billion(), VLLM)

    assert plan.instance_type == "ml.g7e.12xlarge"
    assert plan.tensor_parallel == 2
    assert ("SM_VLLM_TENSOR_PARALLEL_SIZE", "2") in plan.env


def test_what_no_cpu_holds_goes_to_a_gpu() -> None:
    awq = {**LLAMA_8B, "quantization_config": {"quant_method": "awq", "bits": 4}}
    size = size_of_parameters({"I32": 1_000_000_000, "F16": 1_000_000_000}, awq)

    plan = chosen(size)

    assert plan.instance_type == "ml.g6.xlarge"
    assert any(row.why_not == "its weights are quantised for GPUs (awq)" for row in plan.ranking) or plan.ranking


def test_a_large_generator_on_a_cpu_says_how_slow_it_is_and_what_would_be_faster() -> None:
    plan, checks = placed(eight_billion())

    assert plan is not None
    assert plan.instance_type == "ml.r5.xlarge"
    assert [check.id for check in checks] == ["slow-on-cpu"]
    assert "at most 0.66 tokens a second: 4 vCPUs x 2.67 GB/s, over 16.1 GB" in checks[0].message
    assert checks[0].fix is not None
    assert "ml.g6.xlarge" in checks[0].fix


def test_experts_that_a_token_does_not_use_are_not_read_for_it() -> None:
    mixture = {**LLAMA_8B, "architectures": ["MixtralForCausalLM"], "num_local_experts": 8, "num_experts_per_tok": 2}

    dense = size_of_parameters({"BF16": 47_000_000_000}, LLAMA_8B)
    sparse = size_of_parameters({"BF16": 47_000_000_000}, mixture)

    assert tokens_per_s(sparse, 48) == pytest.approx(2 * tokens_per_s(dense, 48))
    assert cpu_need(sparse).weights == cpu_need(dense).weights


def test_serverless_is_chosen_only_when_asked_and_then_by_price() -> None:
    assert chosen(encoder(0.4)).mode == "realtime"

    plan = chosen(encoder(0.4), mode="auto")

    assert (plan.mode, plan.instance_type, plan.memory_mb, plan.max_concurrency) == ("serverless", "", 2048, 5)
    assert plan.price_per_hour_usd == 0.144
    assert "nothing while nobody calls" in plan.why[0]


def test_auto_takes_instances_where_serverless_might_cost_more_than_it_may() -> None:
    assert chosen(encoder(0.4), mode="auto", max_hourly_cost=0.5).instance_type == "ml.c5.large"
    assert chosen(encoder(0.4), mode="auto", max_hourly_cost=0.8).mode == "serverless"


def test_auto_takes_instances_where_serverless_cannot() -> None:
    assert chosen(encoder(8), mode="auto").instance_type == "ml.r5.large"


@pytest.mark.parametrize(
    ("size", "container", "wishes", "words"),
    [
        (encoder(8), BOTH, {}, "it has 6 GiB at most"),
        (replace(encoder(1), archive_bytes=6 * 10**9), BOTH, {}, "its disk has 5 GB"),
        (eight_billion(), VLLM, {}, "no image without GPUs"),
        (encoder(0.4), BOTH, {"instance_type": "ml.m5.large"}, "also names ml.m5.large"),
        (encoder(0.4), BOTH, {"autoscale": Autoscale(1, 2, 600)}, "scales by itself"),
    ],
)
def test_serverless_that_cannot_hold_the_model_is_refused_with_the_reason(
    size: Size, container: Container, wishes: dict[str, Any], words: str
) -> None:
    check = refused(size, container, mode="serverless", **wishes)

    assert check.id == "serverless-cannot"
    assert words in check.message


def test_serverless_counts_every_request_at_once_against_the_most_it_may_cost() -> None:
    _, dear = placed(encoder(0.4), mode="serverless", max_concurrency=5, max_hourly_cost=0.5)
    _, cheap = placed(encoder(0.4), mode="serverless", max_concurrency=3, max_hourly_cost=0.5)

    assert [check.id for check in dear] == ["over-max-hourly-cost"]
    assert cheap == ()


def test_too_dear_names_the_cheapest_that_fits_and_its_price() -> None:
    check = refused(encoder(8), max_hourly_cost=0.1)

    assert check.id == "over-max-hourly-cost"
    assert "ml.r5.large, for $0.151 an hour, over 0.1" in check.message
    assert check.fix == "Write max_hourly_cost = 0.151 or more, or make the model smaller."


def test_too_dear_with_serverless_allowed_names_an_instance() -> None:
    check = refused(encoder(0.4), mode="auto", max_hourly_cost=0.05)

    assert "the cheapest that holds the model is ml.c5.large, for $0.102 an hour" in check.message


def test_autoscaling_is_held_to_its_most() -> None:
    assert refused(encoder(0.4), autoscale=Autoscale(1, 4, 600), max_hourly_cost=0.3).id == "over-max-hourly-cost"
    assert chosen(encoder(0.4), autoscale=Autoscale(2, 4, 600), max_hourly_cost=0.5).instance_count == 2


def test_types_the_account_may_not_run_are_passed_over() -> None:
    plan = chosen(encoder(0.4), stage=replace(STAGE, quotas={"ml.c5.large": 0}))

    assert plan.instance_type == "ml.m5.large"
    assert "ml.c5.large" in [row.name for row in plan.ranking]
    assert any(
        row.why_not == "the account may run 0 of them for endpoints, and 1 would be needed" for row in plan.ranking
    )


def test_a_quota_of_nothing_is_refused_only_where_nothing_else_is_left() -> None:
    everything = dict.fromkeys(catalogue().instances, 0)

    check = refused(eight_billion(), VLLM, replace(STAGE, quotas=everything))

    assert check.id == "quota-zero"
    assert "ml.g6.xlarge is the cheapest that holds the model and may be started" in check.message
    assert check.fix is not None
    assert "`ml.g6.xlarge for endpoint usage`" in check.fix


def test_a_named_type_without_quota_is_refused() -> None:
    check = refused(
        encoder(0.4), stage=replace(STAGE, quotas={"ml.m5.large": 1}), instance_type="ml.m5.large", instance_count=2
    )

    assert check.id == "quota-zero"


def test_unknown_quotas_refuse_nothing() -> None:
    assert chosen(encoder(0.4), stage=replace(STAGE, quotas={})) == chosen(
        encoder(0.4), stage=replace(STAGE, quotas=None)
    )


def test_only_what_the_stage_may_start_is_planned() -> None:
    stage = replace(STAGE, instance_types=frozenset({"ml.m5.xlarge", "ml.g5.xlarge"}))

    assert chosen(encoder(0.4), stage=stage).instance_type == "ml.m5.xlarge"
    assert refused(encoder(0.4), stage=stage, instance_type="ml.m5.large").id == "instance-not-allowed"


def test_and_what_it_may_not_is_named_when_nothing_else_would_do() -> None:
    check = refused(encoder(40), stage=replace(STAGE, instance_types=frozenset({"ml.c5.large"})))

    assert check.id == "instance-not-allowed"
    assert "ml.r5.2xlarge ($0.605 an hour in us-east-1, 2026-11-20)" in check.message


def test_a_model_too_large_for_everything_says_how_much_it_wants() -> None:
    check = refused(encoder(5000))

    assert check.id == "no-instance-fits"
    assert "5501.5 GiB" in check.message


def test_a_named_type_that_is_too_small_is_a_warning_and_still_the_user_s_word() -> None:
    plan, checks = placed(encoder(8), instance_type="ml.m5.large")

    assert plan is not None
    assert plan.instance_type == "ml.m5.large"
    assert [check.id for check in checks] == ["instance-too-small"]


def test_without_weights_the_stage_s_default_runs_unless_the_container_has_no_image_for_it() -> None:
    nothing = size_of_parameters({}, {})

    assert chosen(nothing).instance_type == "ml.m5.large"
    assert chosen(nothing, VLLM).instance_type == "ml.g4dn.xlarge"


def test_the_ranking_has_the_winner_first_and_a_reason_for_every_loser() -> None:
    plan = chosen(encoder(0.4))

    assert plan.ranking[0].name == plan.instance_type
    assert plan.ranking[0].why_not is None
    assert 10 <= len(plan.ranking) <= 13
    assert all(row.why_not for row in plan.ranking[1:])
    assert any(row.name.startswith("serverless") for row in plan.ranking)


def test_a_type_is_planned_even_where_no_price_is_known() -> None:
    raw = json.loads(PATH.read_text())
    for row in raw["instances"]:
        row[5] = [None] * len(raw["regions"])

    placement, checks = placed(encoder(0.4), table=parse(json.dumps(raw)), max_hourly_cost=1.0)

    assert placement is not None
    assert placement.price_per_hour_usd is None
    assert [check.id for check in checks] == ["price-unknown"]


dimensions = st.fixed_dictionaries(
    {
        "architectures": st.sampled_from([["BertModel"], ["LlamaForCausalLM"], ["T5ForConditionalGeneration"]]),
        "num_hidden_layers": st.integers(1, 126),
        "hidden_size": st.integers(32, 16384),
        "num_attention_heads": st.integers(1, 128),
        "num_key_value_heads": st.integers(1, 128),
        "max_position_embeddings": st.integers(16, 1 << 20),
    }
)


@settings(deadline=None)
@given(st.integers(1, 80_000_000_000), st.sampled_from(["F32", "BF16", "F16", "I8"]), dimensions)
def test_whatever_the_model_the_choice_holds_it_and_nothing_cheaper_does(
    count: int, dtype: str, config: dict[str, Any]
) -> None:
    size = size_of_parameters({dtype: count}, config)

    ranked = rank(size, BOTH, Terms("us-east-1"), catalogue())
    usable = [each for each in ranked if each.obstacle is None and each.instance is not None]

    assert usable
    best = usable[0]
    assert best.instance is not None
    if best.devices:
        assert best.instance.gpu is not None
        assert gpu_need(size, best.devices).total <= best.instance.gpu.memory_mib << 20
    else:
        assert cpu_need(size).total <= best.instance.memory_gib * GIB
    dearer = [each.expected_per_hour for each in usable if each.price is not None]
    assert dearer == sorted(price for price in dearer if price is not None)
    assert all(each.problem for each in ranked if each.obstacle in (Obstacle.MEMORY, Obstacle.KIND))


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), _nested)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*LLAMA_8B, "quantization_config", "text_config", "sliding_window"]), json_values)
)
def test_no_config_whatever_is_in_it_breaks_the_sizing(config: dict[str, Any]) -> None:
    size = size_of_parameters({"F32": 1000}, {**BERT, **config})

    assert cpu_need(size).total > 0
