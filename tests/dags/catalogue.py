"""What the library holds, by hand: the 53 DAGs of the phases, those of the teams and the platform."""

from __future__ import annotations

import re

PHASES = {
    1: ("01_hello_airflow", "02_parallel_tasks"),
    2: ("01_scheduled_dag", "02_taskflow_api"),
    3: ("01_bash_operator", "02_python_operator", "03_sensors"),
    4: ("01_xcom_basics", "02_branching", "03_trigger_rules", "04_dynamic_tasks"),
    5: ("01_connections_variables", "02_pools_priority", "03_task_groups", "04_callbacks"),
    6: ("01_mlflow_integration", "02_complete_ml_pipeline"),
    7: ("01_retry_strategies", "02_exception_handling", "03_circuit_breaker"),
    8: ("01_email_notifications", "02_slack_notifications", "03_alert_routing"),
    9: ("01_database_integration", "02_api_integration", "03_cloud_integration", "04_message_queues"),
    10: ("01_great_expectations", "02_schema_validation", "03_data_profiling"),
    11: ("01_dag_testing", "02_cicd_patterns"),
    12: ("01_metrics_monitoring", "02_logging_tracing", "03_health_checks"),
    13: ("01_external_task_sensor", "02_trigger_dag_run", "03_dag_dependencies"),
    14: ("01_dataset_producer", "02_dataset_consumer", "03_dataset_patterns"),
    15: ("01_yaml_dag_factory", "02_jinja_templates", "03_dynamic_dag_patterns"),
    16: ("01_secrets_backend", "02_rbac_patterns", "03_audit_compliance"),
    17: ("01_openlineage", "02_data_catalog", "03_governance_workflows"),
    18: ("01_feature_store", "02_ab_testing", "03_auto_retraining"),
}
FILES = {
    f"phase{phase}_{name}": f"phase{phase}/{name}.py" for phase, names in PHASES.items() for name in names
}
TEAMS = {
    "team_data_engineering/transformation/etl_daily_sales.py": {"etl_daily_sales"},
    "team_data_engineering/transformation/example_etl_dag.py": {"daily_etl_pipeline"},
    "team_data_engineering/transformation/emr_spark_job_dag.py": {"emr_spark_job"},
    "team_data_engineering/transformation/dag_dim_users.py": {"de_dim_users"},
    "team_data_engineering/ingestion/dag_s3_to_redshift.py": {
        "de_ingest_s3_redshift",
        "de_ingest_s3_redshift_v2",
    },
    "team_data_engineering/ingestion/dag_api_ingest.py": {"de_ingest_api"},
    "team_analytics/reporting/dag_daily_sales.py": {"analytics_report_daily_sales"},
    "team_analytics/experiments/dag_ab_test.py": {"analytics_experiment_ab_test"},
    "team_ml/training/ml_pipeline_taskgroups.py": {"ml_pipeline_with_taskgroups"},
    "team_ml/training/dynamic_dag_factory.py": {
        "ml_pipeline_customer_churn_daily",
        "ml_pipeline_fraud_detection_hourly",
        "ml_pipeline_recommendation_weekly",
    },
    "team_ml/training/xcom_patterns.py": {"ml_xcom_patterns"},
    "team_ml/training/resource_management.py": {"resource_managed_pipeline"},
    "team_ml/training/sla_monitoring.py": {"sla_monitored_pipeline"},
    "team_ml/training/enterprise_ml_pipeline.py": {"enterprise_ml_pipeline"},
    "team_ml/training/dag_train_model.py": {"ml_train_model"},
    "team_ml/inference/branching_patterns.py": {"model_deployment_branching"},
    "team_ml/inference/dag_batch_predict.py": {"ml_batch_predict"},
    "team_ml/examples/connection_usage.py": {"connection_usage_example"},
    "platform/medallion_cdc_ingest.py": {"platform_ingest_cdc_bronze"},
    "platform/patterns/dynamic_parallel_tasks.py": {"dynamic_parallel_tasks"},
    "platform/patterns/conditional_branching.py": {"conditional_branching"},
    "platform/patterns/short_circuit.py": {"platform_short_circuit_file"},
    "platform/patterns/skip_exception.py": {"platform_skip_on_api"},
    "platform/patterns/retry_example.py": {"retry_example"},
    "platform/quality/data_quality_pipeline.py": {"data_quality_pipeline"},
    "platform/hybrid/hybrid_cloud_workflow.py": {"hybrid_cloud_workflow"},
    "platform/orchestration/etl_stage1.py": {"etl_stage1"},
    "platform/orchestration/etl_stage2.py": {"etl_stage2"},
    "platform/canary/canary.py": {"platform_canary"},
    "platform/maintenance/alert_test.py": {"platform_alert_test"},
    "platform/maintenance/pause_unused_dags.py": {"platform_pause_unused_dags"},
    "platform/maintenance/profile_task.py": {"platform_profile_task"},
    "platform/security/secure_transfer.py": {"platform_secure_transfer"},
}


def parent(dag_id: str) -> str:
    """The DAG that a helper DAG of the same file belongs to: `phase13_02_x__child` -> `phase13_02_x`."""
    return re.sub(r"__.*$", "", dag_id)
