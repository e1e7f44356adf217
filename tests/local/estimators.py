"""Honest scikit-learn models of every family, fitted in milliseconds, with rows that they answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats
from sklearn import (
    calibration,
    cluster,
    compose,
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_selection,
    frozen,
    gaussian_process,
    impute,
    isotonic,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    manifold,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    random_projection,
    semi_supervised,
    svm,
    tree,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.metrics import f1_score, make_scorer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

_RANDOM = np.random.default_rng(0)
ROWS = _RANDOM.normal(size=(60, 4))
POSITIVE = np.abs(ROWS) + 0.1
CLASSES = (ROWS[:, 0] > 0).astype(int)
THREE = _RANDOM.integers(0, 3, 60)
NUMBERS = ROWS[:, 0] * 2 + 1
TEXTS = [f"good movie {i}" if i % 2 else f"bad film {i}" for i in range(60)]
WORDS = ["POSITIVE" if i % 2 else "NEGATIVE" for i in range(60)]
COLOURS = np.array([["red" if i % 2 else "blue", "small" if i % 3 else "large"] for i in range(60)], dtype=object)
FRAME = pd.DataFrame({"age": ROWS[:, 0], "colour": COLOURS[:, 0], "size": COLOURS[:, 1]})


@dataclass(frozen=True)
class Known:
    """A model and what it was fitted to: (rows,) or (rows, what they are)."""

    model: Callable[[], Any]
    fitted_to: tuple[Any, ...] = (ROWS, CLASSES)

    def fit(self) -> Any:
        """Build it."""
        return self.model().fit(*self.fitted_to)


def _piped(*steps: Any) -> Callable[[], Pipeline]:
    return lambda: make_pipeline(*steps)


def _searched(estimator: Any, grid: Any = None, **options: Any) -> Callable[[], Any]:
    return lambda: model_selection.GridSearchCV(estimator, grid or {"C": [1, 2]}, cv=2, **options)


_REGRESSION = (ROWS, NUMBERS)
_ABOVE_ZERO = (POSITIVE, POSITIVE[:, 0])
_SENTENCES = (TEXTS, WORDS)
_TABLE = (FRAME, CLASSES)
_CATEGORIES = (COLOURS, CLASSES)
_logistic, _ridge = linear_model.LogisticRegression, linear_model.Ridge
_scaler, _one_hot = preprocessing.StandardScaler, preprocessing.OneHotEncoder
_function = preprocessing.FunctionTransformer
_numeric = compose.make_column_selector(dtype_include=np.number)
_other = compose.make_column_selector(dtype_exclude=np.number)

HONEST: dict[str, Known] = {
    "tf-idf": Known(_piped(TfidfVectorizer(), _logistic()), _SENTENCES),
    "counts": Known(_piped(CountVectorizer(ngram_range=(1, 2)), naive_bayes.MultinomialNB()), _SENTENCES),
    "hashed words": Known(_piped(HashingVectorizer(n_features=64), linear_model.SGDClassifier()), _SENTENCES),
    "two views of a text": Known(
        _piped(FeatureUnion([("w", TfidfVectorizer()), ("c", CountVectorizer(analyzer="char"))]), svm.LinearSVC()),
        _SENTENCES,
    ),
    "topics": Known(_piped(CountVectorizer(), decomposition.LatentDirichletAllocation(2, max_iter=2)), (TEXTS,)),
    "columns by name": Known(
        _piped(
            compose.ColumnTransformer([("n", _scaler(), ["age"]), ("c", _one_hot(), ["colour", "size"])]), _logistic()
        ),
        _TABLE,
    ),
    "columns by type": Known(
        _piped(
            compose.ColumnTransformer([("n", _scaler(), _numeric), ("c", _one_hot(sparse_output=False), _other)]),
            ensemble.HistGradientBoostingClassifier(max_iter=3),
        ),
        _TABLE,
    ),
    "columns by place": Known(
        _piped(
            compose.ColumnTransformer([("a", "passthrough", [0]), ("b", preprocessing.MinMaxScaler(), slice(1, 3))]),
            _ridge(),
        ),
        _REGRESSION,
    ),
    "frame of numbers": Known(_piped(_scaler(), _logistic()), (FRAME[["age"]], CLASSES)),
    "frames inside": Known(
        lambda: make_pipeline(_scaler(), _logistic()).set_output(transform="pandas"), (FRAME[["age"]], CLASSES)
    ),
    "labels of a frame": Known(_logistic, (FRAME[["age"]], FRAME["colour"])),
    "strings": Known(_piped(_one_hot(handle_unknown="ignore"), _logistic()), _CATEGORIES),
    "ordinal strings": Known(_piped(preprocessing.OrdinalEncoder(), tree.DecisionTreeClassifier()), _CATEGORIES),
    "target encoding": Known(_piped(preprocessing.TargetEncoder(cv=2), _ridge()), _CATEGORIES),
    "forest": Known(lambda: ensemble.RandomForestClassifier(5)),
    "seeded forest": Known(
        lambda: ensemble.RandomForestRegressor(5, random_state=np.random.RandomState(0)), _REGRESSION
    ),
    "extra trees": Known(lambda: ensemble.ExtraTreesClassifier(5, class_weight={0: 1.0, 1: 2.0})),
    "boosting": Known(lambda: ensemble.GradientBoostingClassifier(n_estimators=3)),
    "boosting of three": Known(lambda: ensemble.GradientBoostingClassifier(n_estimators=3), (ROWS, THREE)),
    "boosting, Huber": Known(lambda: ensemble.GradientBoostingRegressor(n_estimators=3, loss="huber"), _REGRESSION),
    "boosting, a start of its own": Known(
        lambda: ensemble.GradientBoostingClassifier(n_estimators=3, init=dummy.DummyClassifier(), loss="exponential")
    ),
    "histograms": Known(lambda: ensemble.HistGradientBoostingClassifier(max_iter=3, early_stopping=True)),
    "histograms of three": Known(lambda: ensemble.HistGradientBoostingClassifier(max_iter=3), (ROWS, THREE)),
    "histograms, Poisson": Known(
        lambda: ensemble.HistGradientBoostingRegressor(max_iter=3, loss="poisson"), _ABOVE_ZERO
    ),
    "histograms, quantile": Known(
        lambda: ensemble.HistGradientBoostingRegressor(max_iter=3, loss="quantile", quantile=0.9), _REGRESSION
    ),
    "support vectors": Known(svm.SVC),
    "support vectors of numbers": Known(svm.SVR, _REGRESSION),
    "one class": Known(svm.OneClassSVM),
    "neighbours, k-d tree": Known(lambda: neighbors.KNeighborsClassifier(algorithm="kd_tree")),
    "neighbours, ball tree": Known(lambda: neighbors.KNeighborsRegressor(algorithm="ball_tree"), _REGRESSION),
    "neighbours, brute": Known(lambda: neighbors.KNeighborsClassifier(algorithm="brute", metric="manhattan")),
    "outliers": Known(lambda: neighbors.LocalOutlierFactor(novelty=True), (ROWS,)),
    "isolation forest": Known(lambda: ensemble.IsolationForest(n_estimators=5), (ROWS,)),
    "envelope": Known(covariance.EllipticEnvelope, (ROWS,)),
    "principal components": Known(lambda: decomposition.PCA(2), (ROWS,)),
    "kernel components": Known(lambda: decomposition.KernelPCA(2, kernel="rbf"), (ROWS,)),
    "independent components": Known(lambda: decomposition.FastICA(2), (ROWS,)),
    "non-negative factors": Known(lambda: decomposition.NMF(2, max_iter=500), (POSITIVE,)),
    "k-means": Known(lambda: cluster.KMeans(2, n_init=1), (ROWS,)),
    "k-means by batches": Known(lambda: cluster.MiniBatchKMeans(2, n_init=1), (ROWS,)),
    "k-means by halves": Known(lambda: cluster.BisectingKMeans(2), (ROWS,)),
    "birch": Known(lambda: cluster.Birch(n_clusters=2), (ROWS,)),
    "features merged": Known(_piped(cluster.FeatureAgglomeration(2), _ridge()), _REGRESSION),
    "perceptrons": Known(lambda: neural_network.MLPClassifier((4,), max_iter=3)),
    "perceptrons, stopped early": Known(
        lambda: neural_network.MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, early_stopping=True), _REGRESSION
    ),
    "perceptrons, plain descent": Known(lambda: neural_network.MLPClassifier((4,), max_iter=3, solver="sgd")),
    "search": Known(_searched(_logistic())),
    "search, a pipeline": Known(_searched(make_pipeline(_scaler(), svm.SVC()), {"svc__C": [1, 2]})),
    "search, scored by name": Known(_searched(_logistic(), scoring="f1")),
    "search, scored by several": Known(_searched(_logistic(), scoring=["accuracy", "roc_auc"], refit="roc_auc")),
    "search, a scorer": Known(_searched(_logistic(), scoring=make_scorer(f1_score))),
    "random search": Known(
        lambda: model_selection.RandomizedSearchCV(
            _logistic(), {"C": [0.1, 1, 10]}, n_iter=2, cv=model_selection.KFold(2)
        )
    ),
    "threshold": Known(lambda: model_selection.TunedThresholdClassifierCV(_logistic(), cv=2)),
    "features united": Known(
        _piped(FeatureUnion([("p", decomposition.PCA(1)), ("s", feature_selection.SelectKBest(k=1))]), _logistic())
    ),
    "features by chi squared": Known(
        _piped(feature_selection.SelectKBest(feature_selection.chi2, k=2), _logistic()), (POSITIVE, CLASSES)
    ),
    "features by information": Known(
        _piped(feature_selection.SelectKBest(feature_selection.mutual_info_classif, k=2), _logistic())
    ),
    "features by regression": Known(
        _piped(feature_selection.SelectPercentile(feature_selection.f_regression, percentile=50), _ridge()), _REGRESSION
    ),
    "features by a model": Known(
        _piped(feature_selection.SelectFromModel(linear_model.Lasso(0.01)), _ridge()), _REGRESSION
    ),
    "features one by one": Known(lambda: feature_selection.RFECV(_logistic(), cv=2)),
    "logarithm": Known(_piped(_function(np.log1p), _ridge()), _ABOVE_ZERO),
    "root and square": Known(_piped(_function(np.sqrt, inverse_func=np.square), _ridge()), _ABOVE_ZERO),
    "no NaN": Known(_piped(_function(np.nan_to_num), _ridge()), _REGRESSION),
    "logistic function": Known(_piped(_function(special.expit), _ridge()), _REGRESSION),
    "logarithm of the target": Known(
        lambda: compose.TransformedTargetRegressor(_ridge(), func=np.log1p, inverse_func=np.expm1), _ABOVE_ZERO
    ),
    "gaps filled": Known(_piped(impute.SimpleImputer(add_indicator=True), _scaler(), _logistic())),
    "gaps filled by neighbours": Known(_piped(impute.KNNImputer(), _ridge()), _REGRESSION),
    "polynomial": Known(_piped(preprocessing.PolynomialFeatures(2), linear_model.LinearRegression()), _REGRESSION),
    "spline": Known(_piped(preprocessing.SplineTransformer(), linear_model.LinearRegression()), _REGRESSION),
    "power, quantiles, bins": Known(
        _piped(
            preprocessing.PowerTransformer(),
            preprocessing.QuantileTransformer(n_quantiles=9),
            preprocessing.KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
            _ridge(),
        ),
        _REGRESSION,
    ),
    "votes": Known(
        lambda: ensemble.VotingClassifier([("a", _logistic()), ("b", naive_bayes.GaussianNB())], voting="soft")
    ),
    "stack": Known(
        lambda: ensemble.StackingClassifier([("a", _logistic()), ("b", tree.DecisionTreeClassifier())], cv=2)
    ),
    "bags": Known(lambda: ensemble.BaggingClassifier(n_estimators=2)),
    "adaptive boosting": Known(lambda: ensemble.AdaBoostClassifier(n_estimators=2)),
    "calibrated": Known(lambda: calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2)),
    "calibrated, isotonic": Known(
        lambda: calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2, method="isotonic")
    ),
    "several outputs": Known(
        lambda: multioutput.MultiOutputClassifier(_logistic()), (ROWS, np.c_[CLASSES, 1 - CLASSES])
    ),
    "chain": Known(lambda: multioutput.ClassifierChain(_logistic()), (ROWS, np.c_[CLASSES, 1 - CLASSES])),
    "one against the rest": Known(lambda: multiclass.OneVsRestClassifier(_logistic()), (ROWS, THREE)),
    "one against one": Known(lambda: multiclass.OneVsOneClassifier(svm.LinearSVC()), (ROWS, THREE)),
    "Gaussian process": Known(
        lambda: gaussian_process.GaussianProcessRegressor(1.0 * RBF() + WhiteKernel()), _REGRESSION
    ),
    "Gaussian process of classes": Known(lambda: gaussian_process.GaussianProcessClassifier(Matern())),
    "mixture": Known(lambda: mixture.GaussianMixture(2), (ROWS,)),
    "isotonic": Known(lambda: isotonic.IsotonicRegression(out_of_bounds="clip"), (ROWS[:, :1], NUMBERS)),
    "discriminants": Known(discriminant_analysis.LinearDiscriminantAnalysis),
    "approximate kernel": Known(
        _piped(kernel_approximation.Nystroem(n_components=3), linear_model.SGDRegressor()), _REGRESSION
    ),
    "kernel ridge": Known(lambda: kernel_ridge.KernelRidge(kernel="rbf"), _REGRESSION),
    "random projection": Known(lambda: random_projection.SparseRandomProjection(2), (ROWS,)),
    "partial least squares": Known(lambda: cross_decomposition.PLSRegression(2), _REGRESSION),
    "manifold": Known(manifold.Isomap, (ROWS,)),
    "labels spread": Known(semi_supervised.LabelSpreading),
    "frozen": Known(lambda: frozen.FrozenEstimator(_logistic().fit(ROWS, CLASSES))),
    "Poisson regression": Known(linear_model.PoissonRegressor, _ABOVE_ZERO),
    "robust regression": Known(linear_model.RANSACRegressor, _REGRESSION),
    "cross-validated": Known(
        lambda: linear_model.LogisticRegressionCV(cv=2, use_legacy_attributes=False, l1_ratios=(0,))
    ),
}
"""What the door accepts under trust = "scan", and the model server answers with."""

REFUSED: dict[str, tuple[Known, str]] = {
    "a distribution": (
        Known(
            lambda: model_selection.RandomizedSearchCV(_logistic(), {"C": stats.loguniform(0.1, 10)}, n_iter=2, cv=2)
        ),
        "scipy.stats",
    ),
    "a method": (
        Known(_piped(TfidfVectorizer(tokenizer=str.split, token_pattern=None), _logistic()), _SENTENCES),
        "builtins.getattr",
    ),
    "categories by type": (
        Known(
            lambda: ensemble.HistGradientBoostingClassifier(max_iter=3),
            (FRAME.astype({"colour": "category", "size": "category"}), CLASSES),
        ),
        "functools.partial",
    ),
}
"""What is honest and yet not let in, with the name that keeps it out."""
