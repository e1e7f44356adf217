"""Which model types and architectures each image's transformers knows. Called by `architectures`.

Written by `python -m tarmac.tables.architectures`, from transformers' wheels; edit nothing here.
"""

# fmt: off
VERSIONS = ("4.51.3", "5.5.3", "5.15.0")
MODEL_TYPES = {
    "a": (
        "deta efficientformer ernie_m gptsan-japanese graphormer jukebox mctct mega nat nezha open-llama "
        "qdqbert realm retribert speech_to_text_2 trajectory_transformer transfo-xl tvlt van vit_hybrid "
        "xlm-prophetnet"
    ),
    "ab": "code_llama granitevision",
    "abc": (
        "albert align altclip aria aria_text audio-spectrogram-transformer autoformer aya_vision bamba bark "
        "bart beit bert bert-generation big_bird bigbird_pegasus biogpt bit blenderbot blenderbot-small blip "
        "blip-2 bloom bridgetower bros camembert canine chameleon chinese_clip chinese_clip_vision_model clap "
        "clip clip_text_model clip_vision_model clipseg clvp codegen cohere cohere2 colpali conditional_detr "
        "convbert convnext convnextv2 cpmant ctrl cvt dab-detr dac data2vec-audio data2vec-text "
        "data2vec-vision dbrx deberta deberta-v2 decision_transformer deepseek_v3 deformable_detr deit "
        "depth_anything depth_pro detr diffllama dinat dinov2 dinov2_with_registers distilbert donut-swin dpr "
        "dpt efficientnet electra emu3 encodec encoder-decoder ernie esm falcon falcon_mamba "
        "fastspeech2_conformer flaubert flava fnet focalnet fsmt funnel fuyu gemma gemma2 gemma3 gemma3_text "
        "git glm glm4 glpn got_ocr2 gpt-sw3 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_neox_japanese gptj granite "
        "granitemoe granitemoeshared grounding-dino groupvit helium hiera hubert ibert idefics idefics2 "
        "idefics3 idefics3_vision ijepa imagegpt informer instructblip instructblipvideo jamba jetmoe "
        "kosmos-2 layoutlm layoutlmv2 layoutlmv3 led levit lilt llama llama4 llama4_text llava llava_next "
        "llava_next_video llava_onevision longformer longt5 luke lxmert m2m_100 mamba mamba2 marian markuplm "
        "mask2former maskformer maskformer-swin mbart megatron-bert mgp-str mimi mistral mistral3 mixtral "
        "mllama mobilebert mobilenet_v1 mobilenet_v2 mobilevit mobilevitv2 modernbert moonshine moshi mpnet "
        "mpt mra mt5 musicgen musicgen_melody mvp nemotron nllb-moe nougat nystromformer olmo olmo2 olmoe "
        "omdet-turbo oneformer openai-gpt opt owlv2 owlvit paligemma patchtsmixer patchtst pegasus pegasus_x "
        "perceiver persimmon phi phi3 phi4_multimodal phimoe pix2struct pixtral plbart poolformer pop2piano "
        "prompt_depth_anything prophetnet pvt pvt_v2 qwen2 qwen2_5_vl qwen2_audio qwen2_audio_encoder "
        "qwen2_moe qwen2_vl qwen3 qwen3_moe rag recurrent_gemma reformer regnet rembert resnet roberta "
        "roberta-prelayernorm roc_bert roformer rt_detr rt_detr_resnet rt_detr_v2 rwkv sam sam_vision_model "
        "seamless_m4t seamless_m4t_v2 segformer seggpt sew sew-d shieldgemma2 siglip siglip2 "
        "siglip_vision_model smolvlm smolvlm_vision speech-encoder-decoder speech_to_text speecht5 splinter "
        "squeezebert stablelm starcoder2 superglue superpoint swiftformer swin swin2sr swinv2 "
        "switch_transformers t5 table-transformer tapas textnet time_series_transformer timesformer "
        "timm_backbone timm_wrapper trocr tvp udop umt5 unispeech unispeech-sat univnet upernet video_llava "
        "videomae vilt vipllava vision-encoder-decoder vision-text-dual-encoder visual_bert vit vit_mae "
        "vit_msn vitdet vitmatte vitpose vitpose_backbone vits vivit wav2vec2 wav2vec2-bert "
        "wav2vec2-conformer wavlm whisper xclip xglm xlm xlm-roberta xlm-roberta-xl xlnet xmod yolos yoso "
        "zamba zamba2 zoedepth"
    ),
    "b": "musicflamingo_encoder",
    "bc": (
        "afmoe aimv2 aimv2_vision_model apertus arcee audioflamingo3 audioflamingo3_encoder bitnet "
        "blip_2_qformer blt chmv2 cohere2_vision cohere_asr colmodernvbert colqwen2 csm cwm d_fine "
        "deepseek_v2 deepseek_vl deepseek_vl_hybrid dia dinov3_convnext dinov3_vit doge dots1 edgetam "
        "edgetam_video edgetam_vision_model efficientloftr eomt eomt_dinov3 ernie4_5 ernie4_5_moe "
        "ernie4_5_vl_moe eurobert evolla exaone4 exaone_moe falcon_h1 fast_vlm "
        "fastspeech2_conformer_with_hifigan flex_olmo florence2 gemma3n gemma3n_audio gemma3n_text "
        "gemma3n_vision gemma4 gemma4_audio gemma4_text gemma4_vision glm46v glm4_moe glm4_moe_lite glm4v "
        "glm4v_moe glm4v_moe_text glm4v_moe_vision glm4v_text glm4v_vision glm_image glm_image_text "
        "glm_image_vision glm_image_vqmodel glm_moe_dsa glm_ocr glm_ocr_text glm_ocr_vision glmasr "
        "glmasr_encoder gpt_oss granite_speech granitemoehybrid hgnet_v2 higgs_audio_v2 "
        "higgs_audio_v2_tokenizer hunyuan_v1_dense hunyuan_v1_moe internvl internvl_vision jais2 janus "
        "jina_embeddings_v3 kosmos-2.5 kyutai_speech_to_text lasr_ctc lasr_encoder layoutxlm lfm2 lfm2_moe "
        "lfm2_vl lightglue lighton_ocr longcat_flash lw_detr lw_detr_vit metaclip_2 minimax minimax_m2 "
        "ministral ministral3 mistral4 mlcd mlcd_vision_model mm-grounding-dino modernbert-decoder "
        "modernvbert moonshine_streaming moonshine_streaming_encoder musicflamingo nanochat nemotron_h "
        "nomic_bert olmo3 olmo_hybrid ovis2 paddleocr_vl parakeet_ctc parakeet_encoder pe_audio "
        "pe_audio_encoder pe_audio_video pe_audio_video_encoder pe_video pe_video_encoder perception_lm pi0 "
        "pixio pp_chart2table pp_doclayout_v2 pp_doclayout_v3 pp_lcnet pp_lcnet_v3 pp_ocrv5_mobile_det "
        "pp_ocrv5_mobile_rec pp_ocrv5_server_det pp_ocrv5_server_rec qwen2_5_omni qwen2_5_vl_text "
        "qwen2_vl_text qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text qwen3_next qwen3_omni_moe qwen3_vl "
        "qwen3_vl_moe qwen3_vl_moe_text qwen3_vl_text sam2 sam2_hiera_det_model sam2_video sam2_vision_model "
        "sam3 sam3_tracker sam3_tracker_video sam3_video sam3_vision_model sam3_vit_model sam_hq "
        "sam_hq_vision_model seed_oss siglip2_vision_model slanext smollm3 solar_open t5gemma t5gemma2 "
        "t5gemma2_encoder timesfm timesfm2_5 uvdoc uvdoc_backbone vaultgemma vibevoice_acoustic_tokenizer "
        "vibevoice_acoustic_tokenizer_decoder vibevoice_acoustic_tokenizer_encoder vibevoice_asr "
        "video_llama_3 video_llama_3_vision videomt vjepa2 voxtral voxtral_encoder voxtral_realtime "
        "voxtral_realtime_encoder voxtral_realtime_text xcodec xlstm youtu"
    ),
    "c": (
        "EvollaModel aimv2_text_model align_text_model align_vision_model altclip_text_model "
        "altclip_vision_model axk1 axk2 blip_2_vision_model blip_text_model blip_vision_model "
        "blt_global_transformer blt_local_decoder blt_local_encoder blt_patcher bridgetower_text_model "
        "bridgetower_vision_model chameleon_vqgan chinese_clip_text_model clap_audio_model clap_text_model "
        "clipseg_text_model clipseg_vision_model clvp_decoder clvp_encoder cohere2_moe cosmos3_edge "
        "cosmos3_edge_text cosmos3_edge_vision cosmos3_omni csm_depth_decoder_model deepseek_ocr2 "
        "deepseek_ocr2_encoder deepseek_ocr2_sam_vision_model deepseek_ocr2_text deepseek_ocr2_vision "
        "deepseek_v32 deepseek_v4 deimv2 dia_decoder dia_encoder diffusion_gemma diffusion_gemma_text "
        "emu3_text_model emu3_vqgan ernie4_5_vl_moe_text ernie4_5_vl_moe_vision exaone4_5 exaone4_5_vision "
        "fastspeech2_conformer_hifigan flava_image_model flava_multimodal_model flava_text_model "
        "florence_vision gemma4_assistant gemma4_unified gemma4_unified_assistant gemma4_unified_audio "
        "gemma4_unified_text gemma4_unified_vision git_vision_model glmga granite4_vision "
        "granite4_vision_text granite_speech_encoder granite_speech_plus granite_speech_plus_encoder "
        "granite_swa granitemoe_swa groupvit_text_model groupvit_vision_model hrm_text hunyuan_vl "
        "hunyuan_vl_text hunyuan_vl_vision hy_v3 hyperclovax idefics2_perceiver idefics2_vision "
        "idefics_perciever idefics_vision inkling_audio inkling_mm_model inkling_text inkling_vision "
        "instructblip_qformer instructblip_vision_model instructblipvideo_qformer "
        "instructblipvideo_vision_model janus_vision_model janus_vqgan kimi_k25 kimi_k25_vision "
        "kosmos_2_5_text_model kosmos_2_5_vision_model kosmos_2_text_model kosmos_2_vision_model laguna "
        "llama4_vision_model mellum metaclip_2_text_model metaclip_2_vision_model mimo_v2_flash minicpm3 "
        "minicpmv4_6 minicpmv4_6_vision minimax_m3_vl minimax_m3_vl_text minimax_m3_vl_vision "
        "mllama_text_model mllama_vision_model moshi_depth muse_glimmer muse_glimmer_assistant "
        "muse_glimmer_text muse_glimmer_vision musicgen_decoder musicgen_melody_decoder nemotron3_5_asr "
        "nemotron_asr_streaming nemotron_asr_streaming_encoder openai_privacy_filter owlv2_text_model "
        "owlv2_vision_model owlvit_text_model owlvit_vision_model paddleocr_vl_text paddleocr_vl_vision "
        "parakeet_rnnt parakeet_tdt phi4_multimodal_audio phi4_multimodal_vision pix2struct_text_model "
        "pix2struct_vision_model pp_formulanet pp_lcnet_v4 pp_ocrv6_medium_det pp_ocrv6_small_det "
        "pp_ocrv6_small_rec pp_ocrv6_tiny_rec qianfan_ocr qianfan_ocr_vision qwen2_5_omni_audio_encoder "
        "qwen2_5_omni_bigvgan qwen2_5_omni_dit qwen2_5_omni_talker qwen2_5_omni_text qwen2_5_omni_thinker "
        "qwen2_5_omni_token2wav qwen2_5_omni_vision_encoder qwen2_5_vl_vision qwen2_vl_vision "
        "qwen3_5_moe_vision qwen3_5_vision qwen3_asr qwen3_asr_encoder qwen3_omni_moe_audio_encoder "
        "qwen3_omni_moe_talker_code_predictor qwen3_omni_moe_talker_text qwen3_omni_moe_text "
        "qwen3_omni_moe_thinker qwen3_omni_moe_vision_encoder qwen3_vl_moe_vision qwen3_vl_vision radio "
        "rf_detr rf_detr_dinov2 sam3_detr_decoder sam3_detr_encoder sam3_geometry_encoder sam3_lite_text "
        "sam3_lite_text_detr_decoder sam3_lite_text_detr_encoder sam3_lite_text_geometry_encoder "
        "sam3_lite_text_mask_decoder sam3_lite_text_text_model sam3_mask_decoder sapiens2 sapiens2_head "
        "siglip2_text_model siglip_text_model slanet speecht5_hifigan t5_gemma_module t5gemma2_decoder "
        "t5gemma2_text tipsv2 tipsv2_dpt tipsv2_text_model tipsv2_vision_model videoprism "
        "videoprism_text_model videoprism_vision_model xclip_text_model xclip_vision_model xcodec2 zaya"
    ),
}
"""Names by the versions that know them, of which each has its letter: a for the first."""
ARCHITECTURES = {
    "a:Backbone": "Nat",
    "a:ForCTC": "MCTCT",
    "a:ForCausalLM": "Mega OpenLlama Speech2Text2 XLMProphetNet",
    "a:ForConditionalGeneration": "GPTSanJapanese XLMProphetNet",
    "a:ForImageClassification": "Nat Van ViTHybrid",
    "a:ForMaskedLM": "Mega Nezha QDQBert Wav2Vec2",
    "a:ForMultipleChoice": "ErnieM Mega Nezha QDQBert",
    "a:ForNextSentencePrediction": "Nezha QDQBert",
    "a:ForObjectDetection": "Deta",
    "a:ForPreTraining": "Nezha Tvlt",
    "a:ForQuestionAnswering": "ErnieM Mega Nezha QDQBert",
    "a:ForSequenceClassification": "ErnieM LED Mega Nezha OpenLlama QDQBert TransfoXL",
    "a:ForTokenClassification": "ErnieM Mega Nezha QDQBert",
    "a:FormerForImageClassification": "Efficient",
    "a:FormerForImageClassificationWithTeacher": "Efficient",
    "a:FormerModel": "Efficient",
    "a:LMHeadModel": "QDQBert TransfoXL",
    "a:Model": (
        "Deta ErnieM Graphormer Jukebox MCTCT Mega Nat Nezha OpenLlama QDQBert RetriBert "
        "TrajectoryTransformer TransfoXL Tvlt Van ViTHybrid XLMProphetNet"
    ),
    "abc:": "Idefics3VisionTransformer SmolVLMVisionTransformer",
    "abc:Backbone": (
        "Beit Bit ConvNext ConvNextV2 Dinat Dinov2 FocalNet Hiera PvtV2 RTDetrResNet ResNet Swin Swinv2 "
        "TextNet Timm VitDet VitPose"
    ),
    "abc:Decoder": "BertGeneration",
    "abc:DecoderModel": "Encoder",
    "abc:Encoder": "BertGeneration DPRQuestion Qwen2Audio",
    "abc:EncoderDecoderModel": "Speech Vision",
    "abc:EncoderModel": "MT5 T5 UMT5 VisionTextDual",
    "abc:ForAudioClassification": "AST Whisper",
    "abc:ForAudioFrameClassification": (
        "Data2VecAudio UniSpeechSat Wav2Vec2Bert Wav2Vec2Conformer Wav2Vec2 WavLM"
    ),
    "abc:ForCTC": (
        "Data2VecAudio Hubert SEWD SEW UniSpeech UniSpeechSat Wav2Vec2Bert Wav2Vec2Conformer Wav2Vec2 WavLM"
    ),
    "abc:ForCausalImageModeling": "ImageGPT",
    "abc:ForCausalLM": (
        "AriaText Bamba Bart BigBird BigBirdPegasus BioGpt Blenderbot BlenderbotSmall Bloom Camembert CodeGen "
        "Cohere2 Cohere CpmAnt Data2VecText Dbrx DeepseekV3 DiffLlama Electra Emu3 Ernie Falcon FalconMamba "
        "Fuyu GPTBigCode GPTJ GPTNeo GPTNeoX GPTNeoXJapanese Gemma2 Gemma3 Gemma Git Glm4 Glm Granite "
        "GraniteMoe GraniteMoeShared Helium Jamba JetMoe Llama4 Llama MBart Mamba2 Mamba Marian MegatronBert "
        "Mistral Mixtral Mllama Moshi Mpt Musicgen MusicgenMelody Mvp Nemotron OPT Olmo2 Olmo Olmoe PLBart "
        "Pegasus Persimmon Phi3 Phi4Multimodal Phi Phimoe ProphetNet Qwen2 Qwen2Moe Qwen3 Qwen3Moe "
        "RecurrentGemma RemBert RoCBert Roberta RobertaPreLayerNorm Rwkv StableLm Starcoder2 TrOCR Whisper "
        "XGLM XLMRoberta XLMRobertaXL Xmod Zamba2 Zamba"
    ),
    "abc:ForClassification": "PatchTST",
    "abc:ForConditionalGeneration": (
        "Aria AyaVision Bart BigBirdPegasus Blenderbot BlenderbotSmall Blip2 Blip Chameleon Emu3 FSMT Gemma3 "
        "GotOcr2 Idefics2 Idefics3 InstructBlip InstructBlipVideo Kosmos2 LED Llama4 Llava LlavaNext "
        "LlavaNextVideo LlavaOnevision LongT5 M2M100 MBart MT5 Mistral3 Mllama Moonshine Musicgen "
        "MusicgenMelody Mvp NllbMoe PLBart PaliGemma Pegasus PegasusX Pix2Struct Pop2Piano ProphetNet "
        "Qwen2Audio Qwen2VL Qwen2_5_VL SmolVLM Speech2Text SwitchTransformers T5 UMT5 Udop VideoLlava "
        "VipLlava Whisper"
    ),
    "abc:ForDepthEstimation": "DPT DepthAnything DepthPro GLPN PromptDepthAnything ZoeDepth",
    "abc:ForImageClassification": (
        "Beit Bit CLIP ConvNext ConvNextV2 Cvt Data2VecVision DeiT Dinat Dinov2 EfficientNet FocalNet Hiera "
        "IJepa ImageGPT Levit MobileNetV1 MobileNetV2 MobileViT MobileViTV2 Pvt PvtV2 RegNet ResNet Segformer "
        "ShieldGemma2 Siglip2 Siglip Swin Swinv2 TextNet TimmWrapper ViT ViTMSN"
    ),
    "abc:ForImageClassificationConvProcessing": "Perceiver",
    "abc:ForImageClassificationFourier": "Perceiver",
    "abc:ForImageClassificationLearned": "Perceiver",
    "abc:ForImageClassificationWithTeacher": "DeiT Levit",
    "abc:ForImageSuperResolution": "Swin2SR",
    "abc:ForImageTextRetrieval": "Blip2",
    "abc:ForKeypointDetection": "SuperPoint",
    "abc:ForKeypointMatching": "SuperGlue",
    "abc:ForMaskedImageModeling": "DeiT FocalNet Swin Swinv2 ViT",
    "abc:ForMaskedLM": (
        "Albert Bert BigBird Camembert ConvBert Data2VecText Deberta DebertaV2 DistilBert Electra Ernie Esm "
        "FNet Funnel IBert LayoutLM Longformer Luke MPNet MegatronBert MobileBert ModernBert Mra "
        "Nystromformer Perceiver Reformer RemBert RoCBert Roberta RobertaPreLayerNorm SqueezeBert Tapas "
        "XLMRoberta XLMRobertaXL Xmod Yoso"
    ),
    "abc:ForMultipleChoice": (
        "Albert Bert BigBird Camembert Canine ConvBert Data2VecText DebertaV2 DistilBert Electra Ernie FNet "
        "Flaubert Funnel IBert Longformer Luke MPNet MegatronBert MobileBert Mra Nystromformer RemBert "
        "RoCBert Roberta RobertaPreLayerNorm SqueezeBert XLM XLMRoberta XLMRobertaXL XLNet Xmod Yoso"
    ),
    "abc:ForNextSentencePrediction": "Bert Ernie FNet MegatronBert MobileBert",
    "abc:ForObjectDetection": (
        "ConditionalDetr DabDetr DeformableDetr Detr GroundingDino OmDetTurbo OwlViT Owlv2 RTDetr RTDetrV2 "
        "TableTransformer Yolos"
    ),
    "abc:ForPreTraining": (
        "Albert Bert BigBird Electra Ernie FNet Flava Funnel Hiera Lxmert MegatronBert MobileBert RoCBert "
        "Splinter UniSpeech UniSpeechSat ViTMAE VideoMAE VisualBert Wav2Vec2Conformer Wav2Vec2"
    ),
    "abc:ForQuestionAnswering": (
        "Albert Bart Bert BigBird BigBirdPegasus Blip Bloom Camembert Canine ConvBert Data2VecText Deberta "
        "DebertaV2 DiffLlama DistilBert Electra Ernie FNet Falcon Funnel GPT2 GPTJ GPTNeo GPTNeoX IBert LED "
        "LayoutLM LayoutLMv2 LayoutLMv3 Lilt Llama Longformer Luke Lxmert MBart MPNet MT5 MarkupLM "
        "MegatronBert Mistral Mixtral MobileBert ModernBert Mpt Mra Mvp Nemotron Nystromformer OPT Qwen2 "
        "Qwen2Moe Qwen3 Qwen3Moe Reformer RemBert RoCBert Roberta RobertaPreLayerNorm Splinter SqueezeBert T5 "
        "Tapas UMT5 Vilt XLMRoberta XLMRobertaXL Xmod Yoso"
    ),
    "abc:ForQuestionAnsweringSimple": "Flaubert XLM XLNet",
    "abc:ForRegression": "PatchTSMixer PatchTST",
    "abc:ForRetrieval": "ColPali",
    "abc:ForSceneTextRecognition": "Mgpstr",
    "abc:ForSegmentation": "Detr",
    "abc:ForSemanticSegmentation": (
        "Beit DPT Data2VecVision MobileNetV2 MobileViT MobileViTV2 Segformer UperNet"
    ),
    "abc:ForSequenceClassification": (
        "Albert Bart Bert BigBird BigBirdPegasus BioGpt Bloom CTRL Camembert Canine ConvBert Data2VecAudio "
        "Data2VecText Deberta DebertaV2 DiffLlama DistilBert Electra Ernie Esm FNet Falcon Flaubert Funnel "
        "GPT2 GPTBigCode GPTJ GPTNeo GPTNeoX Gemma2 Gemma Glm4 Glm Helium Hubert IBert Jamba JetMoe LayoutLM "
        "LayoutLMv2 LayoutLMv3 Lilt Llama Longformer Luke MBart MPNet MT5 MarkupLM MegatronBert Mistral "
        "Mixtral MobileBert ModernBert Mpt Mra Mvp Nemotron Nystromformer OPT OpenAIGPT PLBart Perceiver "
        "Persimmon Phi3 Phi Phimoe Qwen2 Qwen2Moe Qwen3 Qwen3Moe Reformer RemBert RoCBert Roberta "
        "RobertaPreLayerNorm SEWD SEW SqueezeBert StableLm Starcoder2 T5 Tapas UMT5 UniSpeech UniSpeechSat "
        "Wav2Vec2Bert Wav2Vec2Conformer Wav2Vec2 WavLM XLM XLMRoberta XLMRobertaXL XLNet Xmod Yoso Zamba2 "
        "Zamba"
    ),
    "abc:ForSpeechToText": "SeamlessM4T SeamlessM4Tv2 SpeechT5",
    "abc:ForTextToSpeech": "SeamlessM4T SeamlessM4Tv2 SpeechT5",
    "abc:ForTextToText": "SeamlessM4T SeamlessM4Tv2",
    "abc:ForTimeSeriesClassification": "PatchTSMixer",
    "abc:ForTokenClassification": (
        "Albert Bert BigBird BioGpt Bloom Bros Camembert Canine ConvBert Data2VecText Deberta DebertaV2 "
        "DiffLlama DistilBert Electra Ernie Esm FNet Falcon Flaubert Funnel GPT2 GPTBigCode GPTNeo GPTNeoX "
        "Gemma2 Gemma Glm4 Glm Helium IBert LayoutLM LayoutLMv2 LayoutLMv3 Lilt Llama Longformer Luke MPNet "
        "MT5 MarkupLM MegatronBert Mistral Mixtral MobileBert ModernBert Mpt Mra Nemotron Nystromformer "
        "Persimmon Phi3 Phi Qwen2 Qwen2Moe Qwen3 Qwen3Moe RemBert RoCBert Roberta RobertaPreLayerNorm "
        "SqueezeBert StableLm Starcoder2 T5 UMT5 XLM XLMRoberta XLMRobertaXL XLNet Xmod Yoso"
    ),
    "abc:ForVideoClassification": "Timesformer VideoMAE Vivit",
    "abc:ForVisionText2Text": "Idefics",
    "abc:ForXVector": "Data2VecAudio UniSpeechSat Wav2Vec2Bert Wav2Vec2Conformer Wav2Vec2 WavLM",
    "abc:FormerForCausalLM": "Ro",
    "abc:FormerForImageClassification": "Pool Swift",
    "abc:FormerForInstanceSegmentation": "Mask",
    "abc:FormerForMaskedLM": "Ro",
    "abc:FormerForMultipleChoice": "Ro",
    "abc:FormerForQuestionAnswering": "Ro",
    "abc:FormerForSequenceClassification": "Ro",
    "abc:FormerForTokenClassification": "Ro",
    "abc:FormerForUniversalSegmentation": "Mask2 One",
    "abc:FormerModel": "Mask2 Mask One Pool Ro Swift",
    "abc:FormerSwinBackbone": "Mask",
    "abc:FormerSwinModel": "Mask",
    "abc:LMHeadModel": "Bert CTRL GPT2 OpenAIGPT XLNet",
    "abc:Model": (
        "AST Albert Align AltCLIP AriaText Autoformer Bamba Bark Bart Beit Bert BigBird BigBirdPegasus BioGpt "
        "Bit Blenderbot BlenderbotSmall Blip2 Blip Bloom BridgeTower Bros CLIP CLIPSeg CLIPText CLIPVision "
        "CTRL Camembert Canine Chameleon ChineseCLIP ChineseCLIPVision Clap CodeGen Cohere2 Cohere "
        "ConditionalDetr ConvBert ConvNext ConvNextV2 CpmAnt Cvt DPT DabDetr Dac Data2VecAudio Data2VecText "
        "Data2VecVision Dbrx Deberta DebertaV2 DecisionTransformer DeepseekV3 DeformableDetr DeiT DepthPro "
        "Detr DiffLlama Dinat Dinov2 DistilBert DonutSwin EfficientNet Electra Emu3Text Encodec Ernie Esm "
        "FNet FSMT FalconMamba Falcon FastSpeech2Conformer Flaubert Flava FocalNet FunnelBase Funnel GLPN "
        "GPT2 GPTBigCode GPTJ GPTNeo GPTNeoXJapanese GPTNeoX Gemma2 Gemma3Text Gemma Git Glm4 Glm Granite "
        "GraniteMoe GraniteMoeShared GroundingDino GroupViT Helium Hiera Hubert IBert IJepa Idefics2 Idefics3 "
        "Idefics ImageGPT Informer Jamba JetMoe Kosmos2 LED LayoutLM LayoutLMv2 LayoutLMv3 Levit Lilt "
        "Llama4Text Llama4Vision Llama LongT5 Longformer Luke Lxmert M2M100 MBart MPNet MT5 Mamba2 Mamba "
        "MarianMT Marian MarkupLM MegatronBert Mimi Mistral Mixtral MllamaText MllamaVision MobileBert "
        "MobileNetV1 MobileNetV2 MobileViT MobileViTV2 ModernBert Moonshine Moshi Mpt Mra MusicgenMelody "
        "Musicgen Mvp Nemotron NllbMoe Nystromformer OPT Olmo2 Olmo Olmoe OpenAIGPT OwlViT Owlv2 PLBart "
        "PatchTSMixer PatchTST Pegasus PegasusX Perceiver Persimmon Phi3 Phi4Multimodal Phi Phimoe "
        "PixtralVision ProphetNet Pvt PvtV2 Qwen2 Qwen2Moe Qwen2VL Qwen2_5_VL Qwen3 Qwen3Moe RTDetr RTDetrV2 "
        "RecurrentGemma Reformer RegNet RemBert ResNet RoCBert Roberta RobertaPreLayerNorm Rwkv SEWD SEW Sam "
        "SamVision SeamlessM4T SeamlessM4Tv2 SegGpt Segformer Siglip2 Siglip SiglipVision SmolVLM Speech2Text "
        "SpeechT5 Splinter SqueezeBert StableLm Starcoder2 Swin2SR Swin Swinv2 SwitchTransformers T5 "
        "TableTransformer Tapas TextNet TimeSeriesTransformer Timesformer TimmWrapper Tvp UMT5 Udop UniSpeech "
        "UniSpeechSat UnivNet ViTMAE ViTMSN ViT VideoMAE Vilt VisualBert VitDet Vits Vivit Wav2Vec2Bert "
        "Wav2Vec2Conformer Wav2Vec2 WavLM Whisper XCLIP XGLM XLM XLMRoberta XLMRobertaXL XLNet Xmod Yolos "
        "Yoso Zamba2 Zamba"
    ),
    "abc:ModelForConditionalGeneration": "Clvp",
    "abc:ModelWithLMHead": "Reformer",
    "abc:WithHifiGan": "FastSpeech2Conformer",
    "abc:WithLMHeadModel": "Flaubert XLM",
    "abc:WithRegistersBackbone": "Dinov2",
    "abc:WithRegistersForImageClassification": "Dinov2",
    "abc:WithRegistersModel": "Dinov2",
    "bc:": "GlmImageVQVAE",
    "bc:Backbone": "DINOv3ConvNext DINOv3ViT HGNetV2 LwDetrViT PPLCNet PPLCNetV3 Pixio UVDoc",
    "bc:DecoderForCausalLM": "ModernBert",
    "bc:DecoderForSequenceClassification": "ModernBert",
    "bc:DecoderModel": "ModernBert VibeVoiceAcousticTokenizer",
    "bc:Encoder": (
        "AudioFlamingo3 Gemma3nAudio GlmAsr Lasr Parakeet PeAudio PeAudioVideo PeVideo T5Gemma2 Voxtral "
        "VoxtralRealtime"
    ),
    "bc:EncoderModel": "T5Gemma VibeVoiceAcousticTokenizer",
    "bc:ForCTC": "Lasr Parakeet",
    "bc:ForCausalLM": (
        "Afmoe Apertus Arcee BitNet Blt Cwm DeepseekV2 Doge Dots1 Ernie4_5 Ernie4_5_Moe Exaone4 ExaoneMoe "
        "FalconH1 FlexOlmo Gemma3n Gemma4 Glm4Moe Glm4MoeLite GlmMoeDsa GptOss GraniteMoeHybrid "
        "HunYuanDenseV1 HunYuanMoEV1 Jais2 Lfm2 Lfm2Moe LongcatFlash MiniMax MiniMaxM2 Ministral3 Ministral "
        "Mistral4 NanoChat NemotronH Olmo3 OlmoHybrid Qwen3Next Qwen3_5 Qwen3_5Moe SeedOss SmolLM3 SolarOpen "
        "VaultGemma Youtu xLSTM"
    ),
    "bc:ForConditionalGeneration": (
        "AudioFlamingo3 Cohere2Vision CohereAsr Csm DeepseekVL DeepseekVLHybrid Dia Ernie4_5_VLMoe FastVlm "
        "Florence2 Gemma3n Gemma4 Glm46V Glm4v Glm4vMoe GlmAsr GlmOcr GraniteSpeech HiggsAudioV2 InternVL "
        "Janus Kosmos2_5 KyutaiSpeechToText Lfm2Vl LightOnOcr MoonshineStreaming MusicFlamingo Ovis2 PI0 "
        "PaddleOCRVL PerceptionLM Qwen2_5Omni Qwen3OmniMoe Qwen3VL Qwen3VLMoe Qwen3_5 Qwen3_5Moe T5Gemma2 "
        "T5Gemma VibeVoiceAsr VideoLlama3 Voxtral VoxtralRealtime"
    ),
    "bc:ForDepthEstimation": "CHMv2",
    "bc:ForImageClassification": "DonutSwin HGNetV2 MetaClip2 PPLCNet",
    "bc:ForKeypointMatching": "EfficientLoFTR LightGlue",
    "bc:ForMaskedLM": "EuroBert JinaEmbeddingsV3 ModernVBert NomicBert",
    "bc:ForMultipleChoice": "ModernBert",
    "bc:ForObjectDetection": (
        "DFine LwDetr MMGroundingDino PPDocLayoutV2 PPDocLayoutV3 PPOCRV5MobileDet PPOCRV5ServerDet"
    ),
    "bc:ForProteinText2Text": "Evolla",
    "bc:ForQuestionAnswering": (
        "Arcee Exaone4 JinaEmbeddingsV3 MiniMax Ministral3 Ministral Qwen3Next SeedOss SmolLM3"
    ),
    "bc:ForRetrieval": "ColModernVBert ColQwen2",
    "bc:ForSequenceClassification": (
        "Arcee DeepseekV2 DeepseekV3 Doge EuroBert Exaone4 Gemma3 Gemma3Text GptOss HunYuanDenseV1 "
        "HunYuanMoEV1 JinaEmbeddingsV3 MiniMax Ministral3 Ministral Mistral4 ModernVBert NomicBert Qwen3Next "
        "Qwen3_5 SeedOss SmolLM3 T5Gemma2 T5Gemma"
    ),
    "bc:ForTableRecognition": "SLANeXt",
    "bc:ForTextRecognition": "PPOCRV5MobileRec PPOCRV5ServerRec",
    "bc:ForTokenClassification": (
        "Apertus Arcee DeepseekV3 EuroBert Exaone4 GptOss JinaEmbeddingsV3 MiniMax Ministral3 Ministral "
        "Mistral4 ModernVBert NomicBert Qwen3Next SeedOss SmolLM3 T5Gemma2 T5Gemma"
    ),
    "bc:ForUniversalSegmentation": "EomtDinov3 Eomt Videomt",
    "bc:ForVideoClassification": "VJEPA2",
    "bc:FormerModel": "Blip2Q",
    "bc:Model": (
        "Afmoe Aimv2 Aimv2Vision Apertus Arcee Aria AyaVision BitNet Blt Cohere2Vision CohereAsr Cwm DFine "
        "DINOv3ConvNext DINOv3ViT DeepseekV2 DeepseekVLHybrid DeepseekVL Dia Doge Dots1 EdgeTam EdgeTamVideo "
        "EdgeTamVision EfficientLoFTR Emu3 Ernie4_5 Ernie4_5_Moe Ernie4_5_VLMoe EuroBert Evolla Exaone4 "
        "ExaoneMoe FalconH1 FastVlm FlexOlmo Florence2 Fuyu Gemma3 Gemma3n Gemma3nText Gemma4Audio Gemma4 "
        "Gemma4Text Gemma4Vision Glm46V Glm4MoeLite Glm4Moe Glm4v Glm4vMoe Glm4vMoeText Glm4vMoeVision "
        "Glm4vText Glm4vVision GlmImage GlmImageText GlmImageVision GlmMoeDsa GlmOcr GlmOcrText GlmOcrVision "
        "GotOcr2 GptOss GraniteMoeHybrid HiggsAudioV2Tokenizer HunYuanDenseV1 HunYuanMoEV1 InstructBlip "
        "InstructBlipVideo InternVL InternVLVision Jais2 Janus JinaEmbeddingsV3 Kosmos2_5 KyutaiSpeechToText "
        "Lfm2 Lfm2Moe Lfm2Vl LightOnOcr Llava LlavaNext LlavaNextVideo LlavaOnevision LongcatFlash LwDetr "
        "MLCDVision MMGroundingDino MetaClip2 MiniMaxM2 MiniMax Ministral3 Ministral Mistral3 Mistral4 Mllama "
        "ModernVBert MoonshineStreaming NanoChat NemotronH NomicBert Olmo3 OlmoHybrid Ovis2 PI0 PPDocLayoutV3 "
        "PPOCRV5MobileRec PPOCRV5ServerRec PaliGemma PeAudio PeAudioVideo PeVideo PerceptionLM Pixio "
        "Qwen2VLText Qwen2_5_VLText Qwen3Next Qwen3VL Qwen3VLMoe Qwen3VLMoeText Qwen3VLText Qwen3_5 "
        "Qwen3_5Moe Qwen3_5MoeText Qwen3_5Text Sam2HieraDet Sam2 Sam2Video Sam2Vision Sam3 Sam3Tracker "
        "Sam3TrackerVideo Sam3ViT Sam3Video Sam3Vision SamHQ SamHQVision SeedOss Siglip2Vision SmolLM3 "
        "SolarOpen T5Gemma2 T5Gemma TimesFm2_5 TimesFm UVDoc VJEPA2 VaultGemma VibeVoiceAcousticTokenizer "
        "VideoLlama3 VideoLlama3Vision VideoLlava VipLlava VoxtralRealtimeText Xcodec Youtu xLSTM"
    ),
    "bc:ModelForPrediction": "TimesFm2_5 TimesFm",
    "c:": "HunYuanVLVisionTransformer",
    "c:Backbone": "PPLCNetV4 RfDetrDinov2 Sapiens2 Tipsv2Vision",
    "c:Encoder": "NemotronAsrStreaming Qwen3ASR",
    "c:ForBlockDiffusion": "DiffusionGemma",
    "c:ForCausalLM": (
        "AXK1 AXK2 Cohere2Moe DeepseekV32 DeepseekV4 Gemma4Assistant Gemma4UnifiedAssistant Gemma4Unified "
        "GraniteMoeSWA GraniteSWA HYV3 HrmText HyperCLOVAX Inkling Laguna Mellum MiMoV2Flash MiniCPM3 "
        "MiniMaxM3VL Zaya"
    ),
    "c:ForConditionalGeneration": (
        "Cosmos3Edge Cosmos3Omni DeepseekOcr2 Exaone4_5_ Gemma4Unified Granite4Vision GraniteSpeechPlus "
        "HunYuanVL Inkling Kimi_K25 MiniCPMV4_6 MiniMaxM3Sparse MuseGlimmer QianfanOCR Qwen2_5OmniThinker "
        "Qwen3ASR Qwen3OmniMoeThinker"
    ),
    "c:ForDepthEstimation": "Tipsv2Dpt",
    "c:ForImageMatting": "Sapiens2 VitMatte",
    "c:ForInstanceSegmentation": "RfDetr",
    "c:ForNormalEstimation": "Sapiens2 Tipsv2Dpt",
    "c:ForObjectDetection": "Deimv2 PPOCRV6MediumDet PPOCRV6SmallDet RfDetr",
    "c:ForPointmapEstimation": "Sapiens2",
    "c:ForPoseEstimation": "Sapiens2 VitPose",
    "c:ForRNNT": "Nemotron3_5Asr NemotronAsrStreaming Parakeet",
    "c:ForSemanticSegmentation": "Sapiens2 Tipsv2Dpt",
    "c:ForSequenceClassification": "AXK1 AXK2 MiniCPM3 Olmo2 Olmo3 Olmo Qwen3_5Text",
    "c:ForTDT": "Parakeet",
    "c:ForTableRecognition": "SLANet",
    "c:ForTextRecognition": "PPOCRV6SmallRec PPOCRV6TinyRec",
    "c:ForTokenClassification": "AXK1 AXK2 OpenAIPrivacyFilter Qwen3ASR Qwen3_5",
    "c:ForVideoClassification": "VideoPrism",
    "c:FormulaNetForConditionalGeneration": "PP",
    "c:Model": (
        "AXK1 AXK2 AudioFlamingo3 Cohere2Moe Cosmos3Edge Cosmos3EdgeText Cosmos3EdgeVision Cosmos3Omni "
        "DeepseekOcr2 DeepseekV32 DeepseekV4 Deimv2 DiffusionGemma Exaone4_5_ Exaone4_5_Vision Gemma4Unified "
        "Gemma4UnifiedText GlmAsr Granite4Vision GraniteMoeSWA GraniteSWA GraniteSpeech GraniteSpeechPlus "
        "HYV3 HrmText HunYuanVL HunYuanVLText HyperCLOVAX Inkling Kimi_K25 Kimi_K25Vision Laguna Mellum "
        "MiMoV2Flash MiniCPM3 MiniCPMV4_6 MiniMaxM3VL MiniMaxM3VLText MuseGlimmerAssistant MuseGlimmer "
        "MuseGlimmerText MuseGlimmerVision MusicFlamingo OpenAIPrivacyFilter PPOCRV6MediumDet PPOCRV6SmallDet "
        "PPOCRV6SmallRec PPOCRV6TinyRec PaddleOCRVL QianfanOCR QianfanOCRVision Qwen2Audio Qwen3ASR "
        "Qwen3VLMoeVision Qwen3VLVision Qwen3_5MoeVision Qwen3_5Vision Radio RfDetr Sam3LiteText "
        "Sam3LiteTextText Sapiens2 Tipsv2 Tipsv2Text Tipsv2Vision VibeVoiceAsr VideoPrismClip "
        "VideoPrismVision Voxtral VoxtralRealtime Xcodec2 Zaya"
    ),
}
"""The same: by versions, and by how the names end."""
