"""Which globals a pickle may import under `trust = "scan"`. Called by `pickles`; pure.

A name is allowed when calling it with any arguments, and setting any attribute of what it gives, runs nothing that the
archive could choose. All else is refused: a list of bad names is never complete. Among what is refused although honest:
scipy.stats' distributions (they put an attribute of theirs into `exec`), functools.partial and getattr.

Source: torch's own allow-list for weights_only (torch/_weights_only_unpickler.py); the reduce functions of numpy, scipy
and scikit-learn; for what to refuse, the published bypasses of picklescan, fickling and modelscan.
"""

import re

from chalicelib.door.values import Global

_BUILTINS = (
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range", "set",
    "slice", "str", "tuple",
)  # fmt: skip
_STORAGES = (
    "BFloat16", "Bool", "Byte", "Char", "ComplexDouble", "ComplexFloat", "Double", "Float", "Half", "Int", "Long",
    "QInt32", "QInt8", "QUInt2x4", "QUInt4x2", "QUInt8", "Short", "Typed", "Untyped",
)  # fmt: skip
_DTYPES = (
    "bfloat16", "bool", "complex128", "complex32", "complex64", "double", "float", "float16", "float32", "float64",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "half", "int", "int16",
    "int32", "int64", "int8", "long", "per_channel_affine", "per_tensor_affine", "qint32", "qint8", "quint8", "short",
    "strided", "uint16", "uint32", "uint64", "uint8",
)  # fmt: skip
_REBUILDERS = (
    "_rebuild_device_tensor_from_numpy", "_rebuild_meta_tensor_no_storage", "_rebuild_parameter",
    "_rebuild_parameter_with_state", "_rebuild_qtensor", "_rebuild_sparse_csr_tensor", "_rebuild_sparse_tensor",
    "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_wrapper_subclass",
)  # fmt: skip
_NUMPY_TYPES = (
    "bool_", "complex128", "complex64", "datetime64", "dtype", "float16", "float32", "float64", "int16", "int32",
    "int64", "int8", "ndarray", "str_", "timedelta64", "uint16", "uint32", "uint64", "uint8",
)  # fmt: skip
_NUMPY_ABSTRACT = ("floating", "generic", "inexact", "integer", "number", "object_", "signedinteger", "unsignedinteger")
_ELEMENTWISE = (
    "abs", "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh",
    "deg2rad", "exp", "exp2", "expm1", "fabs", "floor", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2",
    "logical_not", "negative", "positive", "rad2deg", "reciprocal", "rint", "sign", "sin", "sinh", "sqrt", "square",
    "tan", "tanh", "trunc",
)  # fmt: skip
_REDUCTIONS = (
    "amax", "amin", "around", "clip", "max", "mean", "median", "min", "nan_to_num", "prod", "round", "std", "sum",
    "var",
)  # fmt: skip
"""What FunctionTransformer, TransformedTargetRegressor and FeatureAgglomeration are given: arithmetic, and no more."""
_SPECIAL = ("boxcox", "boxcox1p", "erf", "expit", "inv_boxcox", "inv_boxcox1p", "log_expit", "logit")
_FEATURE_SCORES = ("chi2", "f_classif", "f_oneway", "f_regression", "r_regression")
_SCORES_BY_MODULE = {
    "_classification": (
        "accuracy_score", "balanced_accuracy_score", "brier_score_loss", "cohen_kappa_score", "f1_score", "fbeta_score",
        "hamming_loss", "hinge_loss", "jaccard_score", "log_loss", "matthews_corrcoef", "precision_score",
        "recall_score", "zero_one_loss",
    ),
    "_ranking": ("average_precision_score", "dcg_score", "ndcg_score", "roc_auc_score", "top_k_accuracy_score"),
    "_regression": (
        "d2_absolute_error_score", "d2_pinball_score", "d2_tweedie_score", "explained_variance_score", "max_error",
        "mean_absolute_error", "mean_absolute_percentage_error", "mean_gamma_deviance", "mean_pinball_loss",
        "mean_poisson_deviance", "mean_squared_error", "mean_squared_log_error", "mean_tweedie_deviance",
        "median_absolute_error", "r2_score", "root_mean_squared_error", "root_mean_squared_log_error",
    ),
}  # fmt: skip
_SCORERS = (
    "_CurveScorer", "_PassthroughScorer", "_PredictScorer", "_ProbaScorer", "_Scorer", "_ThresholdScorer",
    "_passthrough_scorer",
)  # fmt: skip
"""What a search keeps of `scoring`. A scorer that is called calls a method whose name the archive chose; but a pickle
can call only what it imports (`machines`), and a server only predicts."""
_RANDOM = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_SPARSE = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
_ALLOWED_BY_MODULE: dict[str, tuple[str, ...]] = {
    "builtins": _BUILTINS,
    "__builtin__": (*_BUILTINS, "long", "unicode", "xrange"),
    "_codecs": ("encode",),
    "collections": ("Counter", "OrderedDict", "defaultdict", "deque"),
    "copyreg": ("_reconstructor",),
    "copy_reg": ("_reconstructor",),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "numpy": (*_NUMPY_TYPES, *_NUMPY_ABSTRACT, *_ELEMENTWISE, *_REDUCTIONS),
    **{f"numpy.{root}._multiarray_umath": _ELEMENTWISE for root in ("core", "_core")},
    "numpy.dtypes": (),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy.core.numeric": ("_frombuffer",),
    "numpy._core.numeric": ("_frombuffer",),
    "numpy.random": ("Generator", "RandomState"),
    "numpy.random._generator": ("Generator",),
    "numpy.random._pickle": ("__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"),
    "numpy.random.mtrand": ("RandomState",),
    "numpy.random.bit_generator": ("SeedSequence", "__pyx_unpickle_SeedSequence"),
    **{f"numpy.random._{name.lower()}": (name,) for name in _RANDOM},
    "numpy.ma": ("MaskedArray",),
    "numpy.ma.core": ("MaskedArray", "_mareconstruct"),
    "joblib.numpy_pickle": ("NumpyArrayWrapper",),
    **{f"scipy.sparse._{name}": (f"{name}_matrix", f"{name}_array") for name in _SPARSE},
    **{f"scipy.sparse.{name}": (f"{name}_matrix",) for name in _SPARSE},
    "scipy.interpolate._bsplines": ("BSpline",),
    "scipy.interpolate._interpolate": ("interp1d",),
    "scipy._lib.array_api_compat.numpy._aliases": ("asarray",),
    **{f"scipy.special.{name}": _SPECIAL for name in ("_special_ufuncs", "_ufuncs")},
    "torch": ("Size", "Tensor", "device", *_DTYPES, *(f"{name}Storage" for name in _STORAGES)),
    "torch.cuda": tuple(f"{name}Storage" for name in _STORAGES),
    "torch.storage": ("TypedStorage", "UntypedStorage", "_TypedStorage", "_UntypedStorage"),
    "torch._tensor": ("_rebuild_from_type_v2",),
    "torch.nn.parameter": ("Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter"),
    "torch.serialization": ("_get_layout",),
    "torch._utils": _REBUILDERS,
    "torch.jit._pickle": (
        "build_boollist", "build_doublelist", "build_intlist", "build_tensorlist", "restore_type_tag",
    ),
    "sklearn.cluster._kmeans": ("_kmeans_single_elkan", "_kmeans_single_lloyd"),
    "sklearn.compose._column_transformer": ("make_column_selector",),
    "sklearn.feature_selection._mutual_info": ("mutual_info_classif", "mutual_info_regression"),
    "sklearn.feature_selection._univariate_selection": _FEATURE_SCORES,
    **{f"sklearn.metrics.{module}": names for module, names in _SCORES_BY_MODULE.items()},
    "sklearn.metrics._scorer": _SCORERS,
    "sklearn.tree._tree": ("Tree",),
    "sklearn.utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
    "sklearn.utils": ("Bunch",),
    "sklearn.utils._bunch": ("Bunch",),
    "sklearn.neighbors._kd_tree": ("KDTree", "KDTree64", "KDTree32", "newObj"),
    "sklearn.neighbors._ball_tree": ("BallTree", "BallTree64", "BallTree32", "newObj"),
    "sklearn.metrics._dist_metrics": ("newObj",),
    "xgboost.core": ("Booster",),
    "xgboost.sklearn": ("XGBClassifier", "XGBRanker", "XGBRegressor"),
    "lightgbm.basic": ("Booster",),
    "lightgbm.sklearn": ("LGBMClassifier", "LGBMRanker", "LGBMRegressor"),
}  # fmt: skip
ALLOWED = frozenset(Global(module, name) for module, names in _ALLOWED_BY_MODULE.items() for name in names)

_ESTIMATORS = re.compile(
    r"sklearn\.(calibration|cluster|compose|covariance|cross_decomposition|decomposition|discriminant_analysis|dummy"
    r"|ensemble|feature_extraction|feature_selection|frozen|gaussian_process|impute|isotonic|kernel_approximation|kernel_ridge"
    r"|linear_model|_loss|manifold|metrics\._dist_metrics|mixture|model_selection|multiclass|multioutput|naive_bayes|neighbors|neural_network"
    r"|pipeline|preprocessing|random_projection|semi_supervised|svm|tree)(\._?[a-z0-9_]+)*"
)
_CLASS = re.compile(r"_?[A-Z][A-Za-z0-9]*|__pyx_unpickle_[A-Z][A-Za-z0-9]*")
_DTYPE_CLASS = re.compile(r"[A-Z][A-Za-z0-9]*DType")
_TORCHSCRIPT = re.compile(r"__torch__(\.[A-Za-z0-9_]+)*")

_RUNS_CODE = frozenset({
    "_aix_support", "_osx_support", "_pickle", "_posixsubprocess", "_pyrepl", "_winapi", "asyncio", "bdb", "cProfile",
    "cloudpickle", "code", "codeop", "commands", "concurrent", "cPickle", "ctypes", "dill", "distutils", "doctest",
    "ensurepip", "fabric", "ftplib", "functools", "http", "idlelib", "imp", "importlib", "inspect", "joblib", "lib2to3",
    "linecache", "logging", "marshal", "multiprocessing", "nt", "ntpath", "operator", "os", "pdb", "pickle", "pip",
    "pkgutil", "platform", "posix", "posixpath", "profile", "pty", "pydoc", "requests", "runpy", "shutil", "signal",
    "smtplib", "socket", "ssl", "subprocess", "sys", "tempfile", "test", "threading", "timeit", "trace", "types",
    "urllib", "uuid", "venv", "webbrowser",
})  # fmt: skip


def is_allowed(reference: Global) -> bool:
    """Tell whether a pickle may import this."""
    if reference in ALLOWED:
        return True
    if _ESTIMATORS.fullmatch(reference.module):
        return _CLASS.fullmatch(reference.name) is not None
    if reference.module == "numpy.dtypes":
        return _DTYPE_CLASS.fullmatch(reference.name) is not None
    # TorchScript's own classes: there is no such Python module, and torch.jit's reader knows no others.
    return _TORCHSCRIPT.fullmatch(reference.module) is not None and reference.name.isidentifier()


def is_dangerous(reference: Global) -> bool:
    """Tell whether this is known to run code or reach outside; for what it is worth, as such lists are never whole."""
    if is_allowed(reference):
        return False
    root = reference.module.partition(".")[0]
    return root in _RUNS_CODE or root in ("builtins", "__builtin__", "copyreg", "copy_reg", "_codecs")
