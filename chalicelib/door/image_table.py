"""Where SageMaker's images lie: containers by version, accounts by region. Called by `images`.

Written by `python -m tarmac.tables.images`, which asks the SageMaker SDK; edit nothing here.
"""

# fmt: off
MADE_ON = "2026-11-20"
MADE_FROM = "sagemaker-core 2.27.0"
DOMAIN = "amazonaws.com"
OTHER_DOMAINS = {
    "cn-north-1": "amazonaws.com.cn",
    "cn-northwest-1": "amazonaws.com.cn",
    "us-iso-east-1": "c2s.ic.gov",
    "us-isob-east-1": "sc2s.sgov.gov",
    "us-isof-east-1": "csp.hci.ic.gov",
    "us-isof-south-1": "csp.hci.ic.gov",
}
REGISTRIES = {
    "huggingface-5.5.3": (
        "af-south-1=626614931356 ap-east-1=871362719292 ap-northeast-1=763104351884 "
        "ap-northeast-2=763104351884 ap-northeast-3=364406365360 ap-south-1=763104351884 "
        "ap-south-2=772153158452 ap-southeast-1=763104351884 ap-southeast-2=763104351884 "
        "ap-southeast-3=907027046896 ap-southeast-4=457447274322 ca-central-1=763104351884 "
        "ca-west-1=204538143572 cn-north-1=727897471807 cn-northwest-1=727897471807 eu-central-1=763104351884 "
        "eu-central-2=380420809688 eu-north-1=763104351884 eu-south-1=692866216735 eu-south-2=503227376785 "
        "eu-west-1=763104351884 eu-west-2=763104351884 eu-west-3=763104351884 il-central-1=780543022126 "
        "me-central-1=914824155844 me-south-1=217643126080 sa-east-1=763104351884 us-east-1=763104351884 "
        "us-east-2=763104351884 us-gov-east-1=446045086412 us-gov-west-1=442386744353 "
        "us-iso-east-1=886529160074 us-isob-east-1=094389454867 us-west-1=763104351884 us-west-2=763104351884"
    ),
    "vllm-0.29.0": (
        "af-south-1=626614931356 ap-east-1=871362719292 ap-east-2=975050140332 ap-northeast-1=763104351884 "
        "ap-northeast-2=763104351884 ap-northeast-3=364406365360 ap-south-1=763104351884 "
        "ap-south-2=772153158452 ap-southeast-1=763104351884 ap-southeast-2=763104351884 "
        "ap-southeast-3=907027046896 ap-southeast-4=457447274322 ap-southeast-5=550225433462 "
        "ap-southeast-6=633930458069 ap-southeast-7=590183813437 ca-central-1=763104351884 "
        "ca-west-1=204538143572 cn-north-1=727897471807 cn-northwest-1=727897471807 eu-central-1=763104351884 "
        "eu-central-2=380420809688 eu-north-1=763104351884 eu-south-1=692866216735 eu-south-2=503227376785 "
        "eu-west-1=763104351884 eu-west-2=763104351884 eu-west-3=763104351884 il-central-1=780543022126 "
        "me-central-1=914824155844 me-south-1=217643126080 mx-central-1=637423239942 sa-east-1=763104351884 "
        "us-east-1=763104351884 us-east-2=763104351884 us-gov-east-1=446045086412 us-gov-west-1=442386744353 "
        "us-iso-east-1=886529160074 us-isob-east-1=094389454867 us-isof-east-1=303241398832 "
        "us-isof-south-1=454834333376 us-west-1=763104351884 us-west-2=763104351884"
    ),
    "tei-1.8.2": (
        "af-south-1=510948584623 ap-east-1=651117190479 ap-northeast-1=354813040037 "
        "ap-northeast-2=366743142698 ap-northeast-3=867004704886 ap-south-1=720646828776 "
        "ap-south-2=628508329040 ap-southeast-1=121021644041 ap-southeast-2=783357654285 "
        "ap-southeast-3=951798379941 ap-southeast-4=106583098589 ca-central-1=341280168497 "
        "ca-west-1=190319476487 cn-north-1=450853457545 cn-northwest-1=451049120500 eu-central-1=492215442770 "
        "eu-central-2=680994064768 eu-north-1=662702820516 eu-south-1=978288397137 eu-south-2=104374241257 "
        "eu-west-1=141502667606 eu-west-2=764974769150 eu-west-3=659782779980 il-central-1=898809789911 "
        "me-central-1=272398656194 me-south-1=801668240914 sa-east-1=737474898029 us-east-1=683313688378 "
        "us-east-2=257758044811 us-gov-east-1=237065988967 us-gov-west-1=414596584902 "
        "us-iso-east-1=833128469047 us-isob-east-1=281123927165 us-west-1=746614075791 us-west-2=246618743249"
    ),
    "sklearn-1.9-0": (
        "af-south-1=510948584623 ap-east-1=651117190479 ap-northeast-1=354813040037 "
        "ap-northeast-2=366743142698 ap-northeast-3=867004704886 ap-south-1=720646828776 "
        "ap-south-2=628508329040 ap-southeast-1=121021644041 ap-southeast-2=783357654285 "
        "ap-southeast-3=951798379941 ap-southeast-4=106583098589 ca-central-1=341280168497 "
        "ca-west-1=190319476487 cn-north-1=450853457545 cn-northwest-1=451049120500 eu-central-1=492215442770 "
        "eu-central-2=680994064768 eu-north-1=662702820516 eu-south-1=978288397137 eu-south-2=104374241257 "
        "eu-west-1=141502667606 eu-west-2=764974769150 eu-west-3=659782779980 il-central-1=898809789911 "
        "me-central-1=272398656194 me-south-1=801668240914 sa-east-1=737474898029 us-east-1=683313688378 "
        "us-east-2=257758044811 us-gov-east-1=237065988967 us-gov-west-1=414596584902 "
        "us-iso-east-1=833128469047 us-isob-east-1=281123927165 us-isof-east-1=108575199400 "
        "us-isof-south-1=124985052026 us-west-1=746614075791 us-west-2=246618743249"
    ),
    "pytorch-2.6.0": (
        "af-south-1=626614931356 ap-east-1=871362719292 ap-east-2=975050140332 ap-northeast-1=763104351884 "
        "ap-northeast-2=763104351884 ap-northeast-3=364406365360 ap-south-1=763104351884 "
        "ap-south-2=772153158452 ap-southeast-1=763104351884 ap-southeast-2=763104351884 "
        "ap-southeast-3=907027046896 ap-southeast-4=457447274322 ap-southeast-5=550225433462 "
        "ap-southeast-6=633930458069 ap-southeast-7=590183813437 ca-central-1=763104351884 "
        "ca-west-1=204538143572 cn-north-1=727897471807 cn-northwest-1=727897471807 eu-central-1=763104351884 "
        "eu-central-2=380420809688 eu-north-1=763104351884 eu-south-1=692866216735 eu-south-2=503227376785 "
        "eu-west-1=763104351884 eu-west-2=763104351884 eu-west-3=763104351884 il-central-1=780543022126 "
        "me-central-1=914824155844 me-south-1=217643126080 me-west-1=124382933778 mx-central-1=637423239942 "
        "sa-east-1=763104351884 us-east-1=763104351884 us-east-2=763104351884 us-gov-east-1=446045086412 "
        "us-gov-west-1=442386744353 us-west-1=763104351884 us-west-2=763104351884"
    ),
    "tensorflow-2.20.0": (
        "af-south-1=626614931356 ap-east-1=871362719292 ap-east-2=975050140332 ap-northeast-1=763104351884 "
        "ap-northeast-2=763104351884 ap-northeast-3=364406365360 ap-south-1=763104351884 "
        "ap-south-2=772153158452 ap-southeast-1=763104351884 ap-southeast-2=763104351884 "
        "ap-southeast-3=907027046896 ap-southeast-4=457447274322 ap-southeast-5=550225433462 "
        "ap-southeast-6=633930458069 ap-southeast-7=590183813437 ca-central-1=763104351884 "
        "ca-west-1=204538143572 cn-north-1=727897471807 cn-northwest-1=727897471807 eu-central-1=763104351884 "
        "eu-central-2=380420809688 eu-north-1=763104351884 eu-south-1=692866216735 eu-south-2=503227376785 "
        "eu-west-1=763104351884 eu-west-2=763104351884 eu-west-3=763104351884 il-central-1=780543022126 "
        "me-central-1=914824155844 me-south-1=217643126080 mx-central-1=637423239942 sa-east-1=763104351884 "
        "us-east-1=763104351884 us-east-2=763104351884 us-gov-east-1=446045086412 us-gov-west-1=442386744353 "
        "us-west-1=763104351884 us-west-2=763104351884"
    ),
}
"""Region and account, by the first version that lies there."""
IMAGES = (
    ("huggingface", "5.5.3", "5.5.3", "huggingface-5.5.3",
     "huggingface-pytorch-inference:2.6.0-transformers5.5.3-cpu-py312-ubuntu22.04",
     "huggingface-pytorch-inference:2.6.0-transformers5.5.3-gpu-py312-cu124-ubuntu22.04"),
    ("huggingface", "4.51.3", "4.51.3", "huggingface-5.5.3",
     "huggingface-pytorch-inference:2.6.0-transformers4.51.3-cpu-py312-ubuntu22.04",
     "huggingface-pytorch-inference:2.6.0-transformers4.51.3-gpu-py312-cu124-ubuntu22.04"),
    ("vllm", "0.29.0", "5.15.0", "vllm-0.29.0",
     "",
     "huggingface-vllm:0.29.0-transformers5.15.0-gpu-py312-cu130-ubuntu24.04-v1.0"),
    ("tei", "1.8.2", "", "tei-1.8.2",
     "tei-cpu:2.0.1-tei1.8.2-cpu-py310-ubuntu22.04",
     "tei:2.0.1-tei1.8.2-gpu-py310-cu122-ubuntu22.04"),
    ("sklearn", "1.9-0", "", "sklearn-1.9-0",
     "sagemaker-scikit-learn:1.9-0-cpu-py3",
     ""),
    ("sklearn", "1.4-2-py312", "", "sklearn-1.9-0",
     "sagemaker-scikit-learn:1.4-2-py312-cpu-py3",
     ""),
    ("sklearn", "1.2-1", "", "sklearn-1.9-0",
     "sagemaker-scikit-learn:1.2-1-cpu-py3",
     ""),
    ("sklearn", "1.0-1", "", "sklearn-1.9-0",
     "sagemaker-scikit-learn:1.0-1-cpu-py3",
     ""),
    ("pytorch", "2.6.0", "", "pytorch-2.6.0",
     "pytorch-inference:2.6.0-cpu-py312",
     "pytorch-inference:2.6.0-gpu-py312"),
    ("tensorflow", "2.20.0", "", "tensorflow-2.20.0",
     "tensorflow-inference:2.20.0-cpu-py312",
     "tensorflow-inference:2.20.0-gpu-py312"),
    ("xgboost", "3.2-0", "", "sklearn-1.9-0",
     "sagemaker-xgboost:3.2-0",
     "sagemaker-xgboost:3.2-0"),
    ("xgboost", "3.0-5", "", "sklearn-1.9-0",
     "sagemaker-xgboost:3.0-5",
     "sagemaker-xgboost:3.0-5"),
    ("xgboost", "1.7-1", "", "sklearn-1.9-0",
     "sagemaker-xgboost:1.7-1",
     "sagemaker-xgboost:1.7-1"),
)
"""Container, version, that of transformers, registry, image for CPUs, image for GPUs; newest first."""
