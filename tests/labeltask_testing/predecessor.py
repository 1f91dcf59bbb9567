"""What the predecessor left in databases that it shares with us."""

OLD_STATE = """(
  task_id VARCHAR(32) NOT NULL PRIMARY KEY, stat VARCHAR(32), prod_stat VARCHAR(10), model_type VARCHAR(32),
  predict_type VARCHAR(32), date_range VARCHAR(60), target_table VARCHAR(60), create_time DATETIME, peak_memory FLOAT,
  length_receive_table INT, length_output_table INT, length_prod_table VARCHAR(200), result VARCHAR(300),
  uniq_source_author VARCHAR(200), rate_of_label VARCHAR(200), run_time FLOAT, check_point DATETIME
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3"""
