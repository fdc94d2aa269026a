"""Who answers questions: record, decision, promotion, rollback, pointer."""
